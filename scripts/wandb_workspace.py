"""A Weights & Biases workspace for a sweep: curves by drift, final values, the samples of every run side by side.

python scripts/wandb_workspace.py TEAM PROJECT            # saves it (needs an account) and prints its address
python scripts/wandb_workspace.py TEAM PROJECT --dry      # prints what it would save; needs no network
pip install 'gmdwgf[workspace]' brings the library.
"""

import argparse

import wandb_workspaces.reports.v2 as panels
import wandb_workspaces.workspaces as workspaces

from gmdwgf.metrics.table import METRICS

DRIFT, DATASET = "drift._target_", "dataset._target_"
FIGURES = ("samples", "strip", "curves", "velocity")
HIDDEN = ("n_modes",)


def curve(metric: str, title: str) -> panels.LinePlot:
    """One line a drift, over the runs that are shown: their mean, in a band from the lowest to the highest."""
    return panels.LinePlot(
        title=title,
        x="Step",
        y=[metric],
        log_y=metric in ("mmd2", "energy_distance"),
        groupby=panels.Config(DRIFT),
        groupby_aggfunc="mean",
        groupby_rangefunc="minmax",
    )


def build(entity: str, project: str, group: str | None) -> workspaces.Workspace:
    """The workspace; `group` is the sweep whose runs it shows, all of the project's for None."""
    metrics = {name: metric.label for name, metric in METRICS.items() if name not in HIDDEN} | {"v_rms": "rms |v|"}
    curves = workspaces.Section(
        name="Curves by drift", panels=[curve(name, label) for name, label in metrics.items()], is_open=True
    )
    finals = workspaces.Section(
        name="At the end",
        panels=[
            panels.BarPlot(title=label, metrics=[name], groupby=panels.Config(DRIFT)) for name, label in metrics.items()
        ],
    )
    samples = workspaces.Section(
        name="Samples",
        panels=[panels.MediaBrowser(title=name, media_keys=[name], num_columns=4) for name in FIGURES],
        is_open=True,
    )
    runset = workspaces.RunsetSettings(
        filters=[workspaces.Metric("Group") == group] if group else [],
        groupby=[workspaces.Config(DATASET), workspaces.Config(DRIFT)],
        order=[workspaces.Ordering(workspaces.Summary("mmd2"), ascending=True)],
    )
    name = f"gmdwgf {group or 'comparison'}"
    return workspaces.Workspace(
        entity=entity, project=project, name=name, sections=[curves, finals, samples], runset_settings=runset
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("entity", help="team or user")
    parser.add_argument("project")
    parser.add_argument("--group", help="the sweep whose runs are shown; `runs sync` names it by the folder")
    parser.add_argument("--dry", action="store_true", help="print the workspace, save nothing")
    asked = parser.parse_args()
    workspace = build(asked.entity, asked.project, asked.group)
    if asked.dry:
        print(workspace)
        return
    workspace.save()
    print(workspace.url)


if __name__ == "__main__":
    main()
