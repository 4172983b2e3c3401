"""Whole tensors as mapped files: a cache beside the packs, which may be deleted at any time.

A tensor is one file of raw little-endian bytes, named by a digest of its type, shape and chunk ids:
equal tensors of different models are one file, and all processes share its pages. A checkpoint
folder, for libraries that want files, is kept the same way.

**Damage.** Every chunk is verified on its way into a file that has another name until it is
complete, so what a killed process leaves is never read. A file is believed only under its *seal*: a
note of device, inode, size, times of change and the machine's boot, made when its bytes were
verified, and kept in the person's own cache, because a repository folder may come from a stranger.
Writing, truncating, replacing, copying or restoring a file breaks the seal; so does a restart,
which may lose bytes that were not on disk yet. Without its seal every byte is compared with the
chunk ids again, and a file that fails is made anew. (Comparing each time would cost a second a
gigabyte, and one row could not be had without the rest; a seal costs a twentieth of a millisecond.)
Not protected: bits that rot on disk while the machine runs; a program with the user's own rights
that writes into a file while it is mapped (files are read-only to make that no accident), or within
the few milliseconds after it was made that the clock of an older kernel takes to tick.

**Hard links** to the files of a checkpoint folder are given to who asks for them. What is written
through one breaks the seal, so the cache makes its own files anew and never gives what was written;
so does the removal of a link, which cannot be told from it.

**Leases.** A mapping holds a shared lock on its file as long as any array over it lives; what is
locked is not removed. Nothing would go wrong if it were: a removed file stays mapped.

**Size.** What nobody uses is removed, least recently used first, until the rest fits the limit. A
model larger than the limit can be loaded all the same. Where there is no room on the disk, or no
permission, tensors are decoded into memory instead.

Refuses to know names, nodes and torch.
"""

from mgit.decoded.cached import Decoded, Fetch, KeptFolder, tensor_key
from mgit.decoded.room import LIMIT_BYTES

__all__ = ["LIMIT_BYTES", "Decoded", "Fetch", "KeptFolder", "tensor_key"]
