"""What `iioplab` is made of: labs on a shell.

files       lab files as they are named on a command line; what they declare, in a line
control     the socket by which operators reach a lab that is up
interrupts  Ctrl-C and its like: once, and never while a lab ends
journal     events, as lines
table       a lab that is up, as a table that is drawn again and again
session     a lab that is up, from its start to its end
scenario    a scenario that is played, and its outcome
"""
