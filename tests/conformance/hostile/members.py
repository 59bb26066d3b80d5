"""Lists the regular files of archives as Python's readers see them. One line of stdin an archive: kind and path."""
import hashlib
import json
import sys
import tarfile
import zipfile

for line in sys.stdin:
    kind, path = json.loads(line)
    found = []
    try:
        if kind == "tar":
            with tarfile.open(path) as opened:
                for member in opened:
                    if member.isreg():
                        content = opened.extractfile(member).read()
                        found.append([member.name, hashlib.sha256(content).hexdigest()])
        else:
            with zipfile.ZipFile(path) as opened:
                for member in opened.infolist():
                    if not member.is_dir():
                        found.append([member.filename, hashlib.sha256(opened.read(member)).hexdigest()])
        print(json.dumps(found), flush=True)
    except Exception as error:
        print(json.dumps(str(error)), flush=True)
