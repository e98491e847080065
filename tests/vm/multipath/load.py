# SPDX-License-Identifier: GPL-2.0-or-later
"""What the programs of a guest would notice."""
import mmap
import os
import threading
import time

import rig
from tap import diag


class Load:
    """I/O on the map for the length of a "with" block."""

    BLOCK = 4096

    def __init__(self, san):
        self.fd = san.open(os.O_RDWR | os.O_DIRECT)
        self.buffer = mmap.mmap(-1, self.BLOCK)
        self.done, self.errors = 0, []
        self.ended = False
        self.thread = threading.Thread(target=self._work, daemon=True)

    def _work(self):
        block = 0
        while not self.ended:
            block = (block + 1) % (rig.SIZE // self.BLOCK)
            try:
                os.pwrite(self.fd, self.buffer, block * self.BLOCK)
                os.preadv(self.fd, [self.buffer], block * self.BLOCK)
                self.done += 1
            except OSError as error:
                self.errors.append(error)
            time.sleep(0.005)

    def __enter__(self):
        self.thread.start()
        self.goes_on()
        return self

    def goes_on(self, count=20):
        """Wait until it has made so much progress from now on."""
        start = self.done + len(self.errors)
        rig.wait_for(lambda: self.done + len(self.errors) >= start + count, "I/O to go on")

    def __exit__(self, kind, *_):
        self.ended = True
        self.thread.join(30)
        os.close(self.fd)
        diag(f"{self.done} writes and reads, {len(self.errors)} failed")
