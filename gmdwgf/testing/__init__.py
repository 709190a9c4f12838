"""The correctness kit: hold any drift, also one of your own, to the laws and to its own tags.

from gmdwgf.testing import check_drift
check_drift(MyDrift(bandwidth=0.5))          # raises LawViolation, naming the law and by how much
"""

from gmdwgf.testing.laws import LAWS as LAWS, LawViolation as LawViolation, check_drift as check_drift
from gmdwgf.testing.structure import asymmetry as asymmetry, spatial_curl as spatial_curl
