"""A folder as it is found on the disk, to be compared with what it is later."""


def tree(folder):
    """Kind, contents or target, and time of the last change of a folder and of everything in it, by name; follows no link."""
    found = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        facts = path.lstat()
        content = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(folder))] = (facts.st_mode, facts.st_mtime_ns, content)
    return found
