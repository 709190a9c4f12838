"""`python -m gmdwgf.encode IN OUT`: encode a folder or an array of images to a latent file (docs/latents.md).

Every image is converted to 28 x 28 grey values like the digits of MNIST: bright on dark, scaled to fit into 20 x 20 pixels, with its
centre of mass in the middle. Unreadable files are listed, one per line; the others are encoded. Reconstruction errors are printed
next to those of digits, since the included encoder was trained only on digits.
"""

import argparse
import sys
from pathlib import Path

from gmdwgf.data.picture_files import Pictures, Refused, notes_on, read


def encode_to(pictures: Pictures, out: Path) -> tuple[list[str], list[str]]:
    """Encode images and write the latent file; returns lines with reconstruction errors, and warnings about large ones."""
    from gmdwgf.data import latent_files, shipped
    from gmdwgf.data.latent_writer import writing
    from gmdwgf.features import reconstruction
    from gmdwgf.features.digits import ENCODER

    encoded, sha256 = reconstruction.encoded(pictures.images), shipped.sha256(shipped.VAE)
    with writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        latent_files.write(out, encoded.mean, encoded.log_var, pictures.labels, encoder=ENCODER, sha256=sha256)
    return reconstruction.report(encoded, pictures.labels, pictures.names, pictures.classes)


def run(source: Path, out: Path) -> None:
    """Encode one folder or array; prints skipped files and warnings on standard error, and results on standard output."""
    from gmdwgf.data.array_files import printable, shown
    from gmdwgf.data.latent_writer import try_to_write, why_not_written

    say = lambda line: print(f"gmdwgf: {printable(line)}", file=sys.stderr)  # noqa: T201
    if not source.exists():
        raise Refused(f"{shown(source)}: is neither a folder nor a .npy or .npz file")
    if refusal := why_not_written(source, out):
        raise Refused(refusal)
    try_to_write(out)
    pictures = read(source)
    for line in [*pictures.complaints, *notes_on(pictures)]:
        say(line)
    try_to_write(out, len(pictures.images))
    errors, warned = encode_to(pictures, out)
    n_classes = "no labels" if pictures.labels is None else f"{len(set(pictures.labels.tolist()))} classes"
    n_out = len(pictures.complaints)
    done = f"{out}: {len(pictures.images)} latents, {n_classes}, {n_out} files left out"
    print(*map(printable, [done, *errors]), sep="\n")  # noqa: T201
    for line in warned:
        say(line)


def main(arguments: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m gmdwgf.encode", description=(__doc__ or "").split("\n\n", 1)[1])
    parser.add_argument(
        "input",
        type=Path,
        help="folder of images (two or more folders in it are classes and make labels; folders inside of these are not read), "
        "or .npy or .npz file of an array [N h w], [N h w 1] or [N h w 3] with values in 0..1 or 0..255",
    )
    parser.add_argument(
        "output",
        type=Path,
        help="latent file, .npz or .npy; replaced if it is there, but never the input or a file in its folder",
    )
    options = parser.parse_args(arguments)
    try:
        run(options.input, options.output)
    except (Refused, OSError, ValueError) as error:
        line = _on_one_line(error)
        if line is None:
            raise
        print(f"gmdwgf: {line}", file=sys.stderr)  # noqa: T201
        sys.exit(2)


def _on_one_line(error: Exception) -> str | None:
    """One-line message for an error caused by the user; None for other errors."""
    from gmdwgf.config.fields import FieldError
    from gmdwgf.data.array_files import printable, shown

    if isinstance(error, FieldError):
        return f"{error.value}: {error.fix}"
    if isinstance(error, OSError):
        return f"{shown(error.filename)}: {error.strerror}; nothing was written"
    return printable(str(error)) if isinstance(error, Refused) else None


if __name__ == "__main__":
    main()
