"""The process in which omniidl runs: `python -m iiop.idl.backend JSON`, and JSON comes out.

omniidl keeps what it has read, its complaints and its options for the whole of a process, and writes to its standard error: hence
a process for each run. The preprocessor is run here, not by omniidl, which would have a shell take the file names apart.

In: `{"files": [...], "include": [...]}`. Out: `{"packages": {name: text}}` or `{"refused": [line, ...]}`; what omniidl complains
about is on standard error, and then nothing comes out. Exit status 3: there is no omniidl.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

NO_OMNIIDL = 3


def _preprocessor() -> str:
    """Return the path of omnicpp, which is no program on the PATH where omniidl is a wheel."""
    spec = find_spec("jeteve_omniorb")
    folders = [Path(folder) / "bin" for folder in (spec.submodule_search_locations or () if spec else ())]
    extension = find_spec("_omniidl")
    if extension and extension.origin:
        folders.append(Path(extension.origin).parent)
    found = (str(folder / "omnicpp") for folder in folders if (folder / "omnicpp").exists())
    return next(found, None) or shutil.which("omnicpp") or "omnicpp"


def main(files: list[str], include: list[str]) -> int:
    """Compile files and print what became of them."""
    try:
        import _omniidl
        from omniidl import idlast, idltype
    except ImportError as error:
        print(error, file=sys.stderr)
        return NO_OMNIIDL
    from iiop.idl.backend.reader import Reader
    from iiop.idl.backend.tree import Refusal
    from iiop.idl.backend.writer import write

    _omniidl.keepComments(1)
    _omniidl.noForwardWarning()
    command = [_preprocessor(), "-lang-c++", "-undef", f"-D__OMNIIDL__={_omniidl.version}", "-C"]
    for folder in include:
        command += ["-I", folder]
    reader = Reader()
    try:
        for file in files:
            with tempfile.NamedTemporaryFile(suffix=".idl") as preprocessed:
                ended = subprocess.run([*command, file], stdout=preprocessed, check=False)
                with contextlib.redirect_stdout(sys.stderr):
                    tree = None if ended.returncode else _omniidl.compile(preprocessed.name, file)
            if tree is None:
                return 1
            reader.read(tree)
            idlast.clear()
            idltype.clear()
            _omniidl.clear()
        packages = write(reader)
    except Refusal as refusal:
        print(json.dumps({"refused": [str(refusal)]}))
        return 1
    print(json.dumps({"packages": packages}))
    return 0


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    sys.exit(main(given["files"], given["include"]))
