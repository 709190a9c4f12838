"""Drifts: velocity fields that move generated samples towards the target."""

from typing import TYPE_CHECKING

from gmdwgf.exports import lazy

if TYPE_CHECKING:
    from gmdwgf.drifts.base import (
        AbstractDrift as AbstractDrift,
        DriftOutput as DriftOutput,
        StatelessDrift as StatelessDrift,
        Tags as Tags,
    )
    from gmdwgf.drifts.blob import BlobDrift as BlobDrift
    from gmdwgf.drifts.critic import CriticDrift as CriticDrift
    from gmdwgf.drifts.deng import DengDrift as DengDrift
    from gmdwgf.drifts.deng_learned import DengLearnedDrift as DengLearnedDrift
    from gmdwgf.drifts.deng_released import DengReleasedDrift as DengReleasedDrift
    from gmdwgf.drifts.dmmd import DMMDDrift as DMMDDrift
    from gmdwgf.drifts.drmmd import DrMMDDrift as DrMMDDrift
    from gmdwgf.drifts.f_divergence import FDivergenceDrift as FDivergenceDrift
    from gmdwgf.drifts.kale import KALEDrift as KALEDrift
    from gmdwgf.drifts.kernel_score import KernelScoreDrift as KernelScoreDrift
    from gmdwgf.drifts.kl import KLDrift as KLDrift
    from gmdwgf.drifts.kl_energy import KLEnergyDrift as KLEnergyDrift
    from gmdwgf.drifts.kl_wgf import KLWGFDrift as KLWGFDrift
    from gmdwgf.drifts.mean_shift import MeanShiftDrift as MeanShiftDrift
    from gmdwgf.drifts.mmd import MMDDrift as MMDDrift
    from gmdwgf.drifts.sharp import SharpDrift as SharpDrift
    from gmdwgf.drifts.sinkhorn import SinkhornDrift as SinkhornDrift
    from gmdwgf.drifts.sinkhorn_proxy import SinkhornProxyDrift as SinkhornProxyDrift
    from gmdwgf.drifts.sinkhorn_steps import SinkhornStepsDrift as SinkhornStepsDrift
    from gmdwgf.drifts.sliced_mmd import SlicedMMDDrift as SlicedMMDDrift
    from gmdwgf.drifts.sliced_wasserstein import SlicedWassersteinDrift as SlicedWassersteinDrift
    from gmdwgf.drifts.wflow import WFlowDrift as WFlowDrift
    from gmdwgf.drifts.wrappers.sum import SumDrift as SumDrift

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "gmdwgf.drifts.base": ["AbstractDrift", "DriftOutput", "StatelessDrift", "Tags"],
        "gmdwgf.drifts.blob": ["BlobDrift"],
        "gmdwgf.drifts.critic": ["CriticDrift"],
        "gmdwgf.drifts.deng": ["DengDrift"],
        "gmdwgf.drifts.deng_learned": ["DengLearnedDrift"],
        "gmdwgf.drifts.deng_released": ["DengReleasedDrift"],
        "gmdwgf.drifts.dmmd": ["DMMDDrift"],
        "gmdwgf.drifts.drmmd": ["DrMMDDrift"],
        "gmdwgf.drifts.f_divergence": ["FDivergenceDrift"],
        "gmdwgf.drifts.kale": ["KALEDrift"],
        "gmdwgf.drifts.kernel_score": ["KernelScoreDrift"],
        "gmdwgf.drifts.kl": ["KLDrift"],
        "gmdwgf.drifts.kl_energy": ["KLEnergyDrift"],
        "gmdwgf.drifts.kl_wgf": ["KLWGFDrift"],
        "gmdwgf.drifts.mean_shift": ["MeanShiftDrift"],
        "gmdwgf.drifts.mmd": ["MMDDrift"],
        "gmdwgf.drifts.sharp": ["SharpDrift"],
        "gmdwgf.drifts.sinkhorn": ["SinkhornDrift"],
        "gmdwgf.drifts.sinkhorn_proxy": ["SinkhornProxyDrift"],
        "gmdwgf.drifts.sinkhorn_steps": ["SinkhornStepsDrift"],
        "gmdwgf.drifts.sliced_mmd": ["SlicedMMDDrift"],
        "gmdwgf.drifts.sliced_wasserstein": ["SlicedWassersteinDrift"],
        "gmdwgf.drifts.wrappers.sum": ["SumDrift"],
        "gmdwgf.drifts.wflow": ["WFlowDrift"],
    },
)
