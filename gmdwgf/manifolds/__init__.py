"""Manifolds that points live on: projection, tangent vectors, geodesics and kernels in ambient coordinates."""

from gmdwgf.manifolds.base import AbstractManifold as AbstractManifold
from gmdwgf.manifolds.euclidean import EUCLIDEAN as EUCLIDEAN, Euclidean as Euclidean
from gmdwgf.manifolds.hyperbolic import Hyperbolic as Hyperbolic
from gmdwgf.manifolds.product import Product as Product
from gmdwgf.manifolds.sphere import Sphere as Sphere
from gmdwgf.manifolds.torus import Torus as Torus
