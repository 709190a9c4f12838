"""Read a file larger than memory in shuffled order, with a resumable state."""

from pathlib import Path

import numpy as np

from gmdwgf.config.fields import FieldError
from gmdwgf.data import array_files, latent_files

_BLOCK_BYTES = 1 << 20
_BLOCKS_MIXED = 16
"""Number of blocks that are read together and whose rows are shuffled."""


class ShardedReader:
    """Infinite reader of the training rows of a latent file, which returns every row once per epoch.

    The file is divided into blocks of consecutive rows (about 1 MB). An epoch permutes the blocks with the seed `(seed, epoch)`,
    distributes them to `n_shards` readers, of which this is number `shard`, and shuffles the rows of 16 blocks at a time. A fraction
    `held_out_fraction` of the blocks, selected by `split_seed`, is held out (at least one, if the fraction is not 0). The position is
    given by three integers, `state`, which determine the next rows together with the arguments.

    `beside`: whether the file is a latent file, with the files beside it, or an array alone.

    Only 16 blocks are in memory: the file is mapped, copied from and unmapped. Rows are checked as they are read, and a row that is
    not finite raises FieldError with its index.
    """

    def __init__(
        self,
        path: str,
        seed: int,
        shard: int = 0,
        n_shards: int = 1,
        held_out_fraction: float = 0.0,
        split_seed: int = 0,
        moments: int | None = None,
        beside: bool = True,
    ):
        if not 0 <= shard < n_shards:
            raise ValueError(f"shard {shard} of {n_shards}: must be an integer from 0 to n_shards - 1")
        self.path, self.seed, self.shard, self.n_shards, self.moments = path, seed, shard, n_shards, moments
        self.beside = beside
        rows = self._open()[0]
        self.n_rows, self.block = len(rows), max(1, _BLOCK_BYTES // (rows.nbytes // len(rows)))
        n_blocks = -(-self.n_rows // self.block)
        n_held = min(-int(-held_out_fraction * n_blocks // 1), n_blocks - n_shards)
        if n_held < 0 or (held_out_fraction > 0 and n_held < 1):
            fix = f"has {n_blocks} blocks of {self.block} rows, too few for {n_shards} readers and rows held out"
            raise FieldError("path", array_files.shown(path), f"{fix}; raise max_resident, so that it is kept whole")
        order = np.random.default_rng(split_seed).permutation(n_blocks)
        self.held_blocks, self.train_blocks = order[:n_held], np.sort(order[n_held:])
        self.epoch, self.group, self.row = 0, 0, 0
        self._enter()

    @property
    def n_train_rows(self) -> int:
        """Number of training rows of the file, those of an epoch of all shards."""
        starts = self.train_blocks * self.block
        return int(np.sum(np.minimum(starts + self.block, self.n_rows) - starts))

    def next(self, n_rows: int) -> np.ndarray:
        """The next rows `[n_rows ...]`, in the format of the file."""
        return self.next_labelled(n_rows)[0]

    def next_labelled(self, n_rows: int) -> tuple[np.ndarray, np.ndarray | None]:
        """The next rows and their labels, or None without labels."""
        pieces, wanted = [], n_rows
        while wanted:
            if self.row == len(self._order):
                self._advance()
            take = self._order[self.row : self.row + wanted]
            pieces.append((self._rows[take], None if self._labels is None else self._labels[take]))
            self.row, wanted = self.row + len(take), wanted - len(take)
        rows, labels = zip(*pieces, strict=True)
        return np.concatenate(rows), None if labels[0] is None else np.concatenate(labels)

    def held_out(self, n_rows: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Up to `n_rows` held-out rows and their labels."""
        n_blocks = -(-n_rows // self.block)
        rows, labels = self._read(self.held_blocks[:n_blocks])
        return rows[:n_rows], None if labels is None else labels[:n_rows]

    def state(self) -> dict[str, int]:
        """Position of the reader."""
        return {"epoch": self.epoch, "group": self.group, "row": self.row}

    def restore(self, state: dict[str, int]) -> None:
        """Restore the position of a reader with the same arguments."""
        self.epoch, self.group = state["epoch"], state["group"]
        self._enter()
        self.row = state["row"]

    def _groups(self) -> list[np.ndarray]:
        """Blocks of this shard in the current epoch, in groups that are read together."""
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.train_blocks)
        mine = order[self.shard :: self.n_shards]
        return [mine[start : start + _BLOCKS_MIXED] for start in range(0, len(mine), _BLOCKS_MIXED)]

    def _advance(self) -> None:
        self.group += 1
        if self.group == len(self._groups()):
            self.epoch, self.group = self.epoch + 1, 0
        self._enter()

    def _enter(self) -> None:
        """Read the current group and permute its rows."""
        self._rows, self._labels = self._read(self._groups()[self.group])
        drawn = np.random.default_rng((self.seed, self.epoch, self.shard, self.group))
        self._order, self.row = drawn.permutation(len(self._rows)), 0

    def _read(self, blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        # Reopen each time, because the pages of an open memory map count as memory of this process.
        all_rows, all_labels = self._open()
        spans = [slice(block * self.block, (block + 1) * self.block) for block in blocks.tolist()]
        for span in spans:
            array_files.refuse_not_finite(all_rows[span], np.float32, self.path, "", span.start, self.n_rows)
        rows = np.concatenate([all_rows[span] for span in spans])
        labels = None if all_labels is None else np.concatenate([all_labels[span] for span in spans])
        return rows, labels

    def _open(self) -> tuple[np.ndarray, np.ndarray | None]:
        """The memory-mapped rows of the file and their labels."""
        if not self.beside:
            return latent_files.mapped(Path(self.path), Path(self.path)), None
        file = latent_files.read_latents(self.path, self.moments)
        return file.rows, file.labels
