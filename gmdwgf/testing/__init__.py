"""Test kit for drifts: check any drift against the laws that all drifts satisfy, and against its own tags.

from gmdwgf.testing import check_drift
check_drift(MyDrift(bandwidth=0.5))          # raises LawViolation with the violated law and the size of the violation
"""

from gmdwgf.testing.laws import LAWS as LAWS, LawViolation as LawViolation, check_drift as check_drift
from gmdwgf.testing.structure import asymmetry as asymmetry, spatial_curl as spatial_curl
