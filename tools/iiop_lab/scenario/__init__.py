"""Labs and scenarios from files: what they declare, how they are played, and what is expected.

declaration   what a file can say, as dataclasses; no file, no process
text          TOML read into them; mistakes with line, key and what was meant
actions       what operators do to a lab, in words: `kill host1`
lab           `Lab`: everything that a file declares, running
clients       what calls in a scenario; what became of each call
expectations  what a scenario expects, and whether it came so
play          a scenario, step by step
"""
