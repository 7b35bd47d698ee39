"""Labs and scenarios from files: what they declare, how they are played, and what is expected.

declaration   what a file can say, as dataclasses; no file, no process
text          lab files read into them: `read_lab`
positions     in which lines the keys of a file are
shaping       TOML values into dataclasses
mistakes      what is wrong in a file, with line, key and what was meant
checks        what a lab cannot be; play_checks: what its steps cannot; checking: what both ask
meaning       what a lab means where it leaves something out
actions       what operators do to a lab, in words: `kill host1`
lab           `Lab`: everything that a file declares, running
clients       what calls in a scenario; what became of each call
expectations  what a scenario expects, and whether it came so
status        how a lab is, as plain data
play          a scenario, step by step
"""
