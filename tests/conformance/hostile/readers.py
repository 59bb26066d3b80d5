"""Unpacks archives with Python's own readers. One line of stdin a case: kind, archive, target; one answer a line."""
import json
import sys
import tarfile
import warnings
import zipfile

for line in sys.stdin:
    kind, archive, target = json.loads(line)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            if kind == "tar":
                with tarfile.open(archive) as opened:
                    opened.extractall(target, filter="data")
            else:
                with zipfile.ZipFile(archive) as opened:
                    opened.extractall(target)
            answer = "warned" if warned else "taken"
        except Exception as error:  # whatever it is, the archive was not taken
            answer = "refused"
    print(json.dumps(answer), flush=True)
