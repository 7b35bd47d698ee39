"""The command `giopdump`: what was said over IIOP, read from captures.

Octets of a file become packets (`captures`), packets segments of TCP (`packets`, and `datagrams` where they are in fragments),
segments the octets of each direction in order (`streams`), those messages (`cutting`), and messages conversations
(`conversations`). Each knows only the one before it, and none does I/O: what a file holds is handed to them piece by piece, so
that one that is still written can be followed (`files`). `values` and `rows` say what a message says, to people and to programs;
`summary` counts, `report` makes a page; `command` is the shell around all of it.
"""
