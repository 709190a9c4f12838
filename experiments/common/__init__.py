"""What the experiments share. Importing it sets the threads of BLAS as the command does, before BLAS is loaded."""

from gmdwgf.engine.blas import one_blas_thread

one_blas_thread()
