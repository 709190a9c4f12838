"""A sweep in which every text, number and key of every file that the page reads is markup, which runs if it is taken for such."""

import copy
import json
import shutil

import yaml

from tests.runs.folders import make_run

MARKUP = (
    "<img src=x onerror=ran({n})>",
    '"><script>ran({n})</script>',
    "</script><script>ran({n})</script>",
    "javascript:ran({n})",
    "'onmouseover='ran({n})' style='x:url(javascript:ran({n}))",
    "<svg><a xlink:href=javascript:ran({n})><animate onbegin=ran({n}) attributeName=x dur=1s>",
    "__proto__",
    "</title></style><iframe srcdoc='<script>parent.ran({n})</script>'>",
)


def plant(root):
    """Fill `root` with runs of each state; in each one leaf or one key of one file is replaced. Returns how many were."""
    n = 0
    for state, ending in (("done", "DONE.json"), ("failed", "FAILED.json"), ("diverged", "DIVERGED.json")):
        job = make_run(root / "clean", state, steps=(0, 100), diverged_step=50, drift="kl", seed=len(state))
        # What is common to all states is planted in one of them.
        for name in (ending, *(("config.yaml", "manifest.json", "metrics.jsonl") if state == "done" else ())):
            for place in places(read(job.folder.path / name)):
                for is_key in (False, True):
                    n += 1
                    payload = MARKUP[n % len(MARKUP)].format(n=n)
                    # Some names of folders are markup too; they may hold all but a slash.
                    words = MARKUP[n // 32 % len(MARKUP)].format(n=n).replace("/", "%2f")
                    names = [f"eight_gaussians-{words}", f"{words.replace('-', '_')}-kl"]
                    folder = root / f"{n}" / f"{names[n // 16 % 2] if n % 16 == 0 else 'eight_gaussians-kl'}-{n:08x}"
                    shutil.copytree(job.folder.path, folder)
                    write(folder / "manifest.json", read(folder / "manifest.json") | {"id": f"{n:08x}"})
                    changed = replaced(read(folder / name), place, payload, is_key)
                    write(folder / name, changed)
    return n


def read(path):
    text = path.read_text()
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in text.splitlines()]
    return yaml.safe_load(text) if path.suffix == ".yaml" else json.loads(text)


def write(path, data):
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(record) + "\n" for record in data))
    else:
        path.write_text(yaml.safe_dump(data) if path.suffix == ".yaml" else json.dumps(data))


def places(data, before=()):
    """The path of every text, number, null and empty list or mapping in `data`."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    inner = [place for name, value in items for place in places(value, (*before, name))]
    return inner or [before]


def replaced(data, place, payload, is_key):
    """`data` with `payload` as the value at `place`, or as the name of that value."""
    data = copy.deepcopy(data)
    node = data
    for name in place[:-1]:
        node = node[name]
    if is_key and isinstance(node, dict):
        node[payload] = node.pop(place[-1])
    else:
        node[place[-1]] = payload
    return data
