"""The back end for omniidl: what it read becomes typed Python.

`reader` turns omniidl's syntax tree into the small form of `tree`; `names`, `types`, `writer` and `imports` turn that into text.
`__main__` is the process in which omniidl runs. Nothing of this is needed to run what was made.
"""
