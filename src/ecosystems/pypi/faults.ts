import { type Catalogue, faultsOf } from '#kernel';

export const pypiCatalogue = {
  'pypi.requirements-unreadable': {
    title: 'A line of the requirements file cannot be understood.',
    fix: "Write the file by a tool: 'pip-compile --generate-hashes' or 'uv pip compile --generate-hashes'.",
  },
  'pypi.not-locked': {
    title: 'A requirement is not fixed to one version with hashes, so nobody could say later what was captured.',
    fix: "Lock the whole closure: 'pip-compile --generate-hashes -o requirements.txt requirements.in', or 'uv pip compile --generate-hashes …'. 'pip freeze' gives versions but no hashes.",
  },
  'pypi.direct-reference': {
    title: 'A requirement names an address, a repository or a folder in place of a release of an index.',
    fix: "Publish it to an index of your own and require its version with hashes; put what belongs to the project into the service's folder.",
  },
  'pypi.option': {
    title: 'The requirements file has an option that cannot be kept when it crosses.',
    fix: "Remove the line; say where the index is in pip's own configuration ('pip config set global.index-url …').",
  },
  'pypi.credentials': {
    title: 'The requirements file holds credentials or takes them from the environment.',
    fix: "Move the address with its credentials into pip's configuration or ~/.netrc; a file that crosses the gap must hold none. If it was committed, change the password.",
  },
  'pypi.missing-file': {
    title: 'The requirements file names another file that is not there.',
    fix: 'Restore the file, or remove the line that names it.',
  },
  'pypi.format': {
    title: 'This lockfile format of Python is not read by this version.',
    fix: "Export it with hashes: 'uv export --format requirements-txt -o requirements.txt', 'poetry export -o requirements.txt' or 'pdm export', and name that file in sallyport.yaml.",
  },
  'pypi.target': {
    title: 'A target does not say enough to choose Python packages.',
    fix: "Give the target in sallyport.yaml its 'python' (implementation and version) and, on Linux, its 'libc' (name and version).",
  },
  'pypi.unknown-project': {
    title: 'No index has a project that the requirements file names.',
    fix: "Check 'pip config list': the project may live in another index, or may have been removed.",
  },
  'pypi.unknown-version': {
    title: 'No index has a version that the requirements file names.',
    fix: 'It may have been deleted, or live in another index. Lock again with a version that exists.',
  },
  'pypi.no-file': {
    title: 'No file of the required version both matches its hashes and fits a target.',
    fix: "Compare the target's Python, architecture and libc with the files of the release; lock again where the hashes are for other files, or choose a version with a wheel or an sdist.",
  },
  'pypi.conflict': {
    title: 'Two lines of the requirements file require different versions on the same target.',
    fix: 'Lock again from one list of direct requirements, or tell the two apart by environment markers.',
  },
  'pypi.upstream': {
    title: 'The Python package index did not give a usable answer.',
    fix: "Run 'pip download --no-deps NAME': it uses the same index, credentials and proxies. Then capture again; what is already here is not fetched twice.",
  },
} as const satisfies Catalogue;

export const pypiFault = faultsOf(pypiCatalogue);
