"""What came out, in sentences that are made of the numbers; one that they contradict is an error.

`[[name]]` or `[[name|.3f]]` in a sentence is the number of that name. What a sentence compares is an expression over the numbers.
"""

import re
import textwrap

from experiments.common.record import Number
from experiments.minimiser.cells import BANDWIDTHS, BRANCHES, DRIFTS, LAWS, PLACES
from experiments.minimiser.conditions import DRIFTS as CONDITIONS
from experiments.minimiser.tables import trainings

PLACE = re.compile(r"\[\[([^|\]]+)(?:\|([^\]]+))?\]\]")
WIDE = BANDWIDTHS[3:]
"""Bandwidths at which `kl` differs from the argmin by more than rounding and noise of a training."""
EULER = [(drift, d) for drift in ("kl", "mmd") for d in (1, 2, 8, 32)]


class Contradicted(ValueError):
    """A sentence that the numbers do not bear out."""


class Findings:
    """The sentences over one set of numbers."""

    def __init__(self, numbers: dict[str, Number]):
        self.numbers = numbers

    def lines(self) -> list[str]:
        """All sentences, as a list in Markdown."""
        parts = (
            self.on_the_line,
            self.branches,
            self.flows,
            self.elsewhere,
            self.apart,
            self.training,
            self.steps,
            self.batches,
        )
        return [line for part in (*parts, self.bandwidths, self.conditions, self.corrections) for line in part()]

    def value(self, name: str) -> float:
        return self.numbers[name].value

    def line(self, drift: str, what: str, h: float = 0.8) -> float:
        return self.value(f"line {drift} h={h:g} {what}")

    def said(self, text: str, holds: bool) -> list[str]:
        """The sentence with its numbers, if it is true."""
        text = PLACE.sub(lambda found: format(self.value(found[1]), found[2] or ".4f"), " ".join(text.split()))
        if not holds:
            raise Contradicted(text)
        return textwrap.wrap(f"- {text}", 132, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)

    def on_the_line(self) -> list[str]:
        return self.said(
            """No. On the line at h = 0.8 `kl` rests at variance [[line kl h=0.8 rest variance]] and c = [[line kl h=0.8 rest c]],
            where KL(k∗q, k∗p) is [[line kl h=0.8 rest KL]]. The argmin of KL(k∗q, k∗p) has variance
            [[line kl h=0.8 argmin variance]], c = [[line kl h=0.8 argmin c]] and KL [[line kl h=0.8 argmin KL]], and there the
            true flow `kl_wgf` rests ([[line kl_wgf h=0.8 rest variance]], [[line kl_wgf h=0.8 rest c]]). The rest of `kl`
            nearest to the argmin is too wide at every bandwidth from 0.4 up ([[line kl h=0.4 rest variance|.3f]] for
            [[line kl h=0.4 argmin variance|.3f]] at 0.4, [[line kl h=1.6 rest variance|.3f]] for
            [[line kl h=1.6 argmin variance|.3f]] at 1.6).""",
            self.line("kl", "rest KL") > 1.1 * self.line("kl", "argmin KL")
            and self.line("kl_wgf", "distance") < 1e-4
            and all(self.line("kl", "rest variance", h) > self.line("kl", "argmin variance", h) for h in WIDE),
        )

    def branches(self) -> list[str]:
        several = [h for h in BRANCHES if self.line("kl", "stable rests", h) > 1]
        most = max(self.line("kl", "stable rests", h) for h in BRANCHES)
        alone = [
            h
            for h in BRANCHES[::2]
            if self.line("kl", "stable rests", h) > 1 and self.line("kl_wgf", "stable rests", h) == 1
        ]
        return self.said(
            f"""Bifurcations: on the line `kl` has one stable rest above h = {max(several):.2f} and up to {most:.0f} below. At h =
            {", ".join(f"{h:.2f}" for h in alone)} it has several where KL(k∗q, k∗p) has one minimum and `kl_wgf` one stable
            rest: what a training with `kl` reaches depends on its start.""",
            len(alone) > 0 and most >= 3 and max(several) < max(BRANCHES),
        )

    def flows(self) -> list[str]:
        far = {
            (name, drift, h): self.value(key)
            for name in PLACES
            for drift in (*DRIFTS[1:], "sinkhorn")
            for h in BANDWIDTHS
            if (key := f"{name} {drift} h={h:g} distance") in self.numbers
        }
        return self.said(
            f"""Every flow rests at the argmin of its own functional: the largest of {len(far)} distances (`kl_wgf` in all four
            settings, `sinkhorn` on line and banana, `blob` and `mmd` on the line; h = 0.05 to 1.6) is
            {100 * max(far.values()):.2g} % of the argmin's width.""",
            max(far.values()) < 0.01,
        )

    def elsewhere(self) -> list[str]:
        far = {name: max(self.value(f"{name} kl h={h:g} distance") for h in WIDE) for name in PLACES}
        words = ", ".join(f"{100 * value:.0f} % ({name})" for name, value in far.items())
        return self.said(
            f"""`kl` does not, in any of the four: at h = 0.4 to 1.6 the stable rest nearest to the argmin is away from it by up to
            {words} of the width.""",
            all(value > 0.05 for value in far.values()),
        )

    def apart(self) -> list[str]:
        of = lambda what: self.value(f"eight kl h=1.6 {what}")
        ends, far = of("places where seeds end"), of("least distance of a seed from the argmin")
        near = of("largest distance of a seed from a stable rest")
        return self.said(
            f"""In d = 8 at h = 1.6 the solution of `kl` next to the argmin is unstable ([[eight kl h=1.6 unstable rests|.0f]]
            unstable and [[eight kl h=1.6 stable rests|.0f]] stable rests were found). Training agrees: the 8 seeds end at
            {ends:.0f} places, each within {100 * near:.0f} % of its width from a stable rest, and none nearer to the argmin
            than {100 * far:.0f} % of the argmin's.""",
            ends > 1 and near < 0.15 and far > 0.3 and of("unstable rests") > 0,
        )

    def training(self) -> list[str]:
        off = {
            name: abs(self.value(f"{name} variance n=infinity") / self.value(f"{name} variance expected") - 1)
            for name in trainings(self.numbers)
        }
        kl, flow = (self.numbers[f"trained line {drift} h=0.8 variance n=infinity"] for drift in ("kl", "kl_wgf"))
        words = lambda number: f"{number.value:.3f} ({number.low:.3f} to {number.high:.3f})"
        worst = max(off, key=lambda name: off[name])
        return self.said(
            f"""Training shows it: extrapolated to n = ∞, `kl` comes to the variance {words(kl)} and `kl_wgf` to {words(flow)}; the
            argmin's [[line kl h=0.8 argmin variance|.3f]] is far outside of the first interval. The variances of all {len(off)}
            trainings are within {100 * off[worst]:.1f} % of what is expected without batches (the most for {worst[8:]}).""",
            kl.low > 1.05 * self.line("kl", "argmin variance") and flow.high < kl.low and off[worst] < 0.03,
        )

    def steps(self) -> list[str]:
        orders = [self.value(f"euler {drift} d={d} order") for drift, d in EULER]
        expected = lambda drift, d: self.value(f"euler {drift} d={d} constant expected")
        off = [abs(self.value(f"euler {drift} d={d} constant") / expected(drift, d) - 1) for drift, d in EULER]
        return self.said(
            f"""η → 0: Euler steps are off the flow by C η (orders {min(orders):.3f} to {max(orders):.3f} for d = 1, 2, 8, 32), and
            C is that of the linearised flow within 0.01 %.""",
            all(abs(x - 1) < 0.02 for x in orders) and max(off) < 1e-4,
        )

    def batches(self) -> list[str]:
        first = [self.value(f"d={d} h={h:g} leave_one_out first exponent") for d, h in LAWS]
        keep, two = (self.value(f"d=1 h=0.8 {term} last exponent") for term in ("keep", "two_batch"))
        trained, there = self.numbers["trained keep h=0.2 exponent"], self.value("exact keep h=0.2 exponent")
        law = self.said(
            """n → ∞: the biases of `keep` and `two_batch` are of order 1/n ([[d=1 h=0.8 keep last exponent|.2f]] and
            [[d=1 h=0.8 two_batch last exponent|.2f]] at d = 1, h = 0.8), but only once n q_h(x) is large wherever q has mass.
            Before, the exponent is nearer to zero: over n = 16 to 128 at h = 0.2 it is [[exact keep h=0.2 exponent|.2f]] for
            `keep` (trained: [[trained keep h=0.2 exponent|.2f]]), and at d = 32, h = 1.6 it is
            [[d=32 h=1.6 keep last exponent|.2f]] at n = 2^[[d=32 h=1.6 keep last log2 n|.0f]]. The slopes -.40 and -.56 in
            experiments/fixed_point are this law, no orders of their own: its exact variances at h = 0.2 are
            [[d=1 h=0.2 keep n=16 variance|.3f]], [[d=1 h=0.2 keep n=64 variance|.3f]] and [[d=1 h=0.2 keep n=256 variance|.3f]]
            for n = 16, 64 and 256.""",
            abs(keep + 1) < 0.03 and abs(two + 1) < 0.03 and there > -0.7 and abs(trained.value - there) < 0.1,
        )
        return law + self.said(
            f"""`leave_one_out` gains an order where the family holds p, as the 1/n parts of attraction and repulsion cancel:
            exponents {max(first):.1f} to {min(first):.1f} from the smallest batches on (its variance is
            [[d=1 h=0.2 leave_one_out n=16 variance|.3f]] at n = 16 and [[d=1 h=0.2 leave_one_out n=64 variance|.4f]] at n = 64,
            h = 0.2).""",
            max(first) < -1.4,
        )

    def bandwidths(self) -> list[str]:
        orders = [self.value(f"round {drift} d={d} order") for drift in ("kl", "blob") for d in (2, 8, 32)]
        return self.said(
            f"""h → 0: rests and argmin move by O(h²) (orders {min(orders):.2f} to {max(orders):.2f} for x = c + w z on Gaussians in
            d = 2, 8, 32, [[line rest order|.2f]] and [[line argmin order|.2f]] on the line), and the distance of `kl` from the
            argmin falls with them (order [[line kl order of the distance|.1f]] on the line): for small h the question does not
            matter, if the start is right.""",
            all(abs(x - 2) < 0.05 for x in orders) and self.value("line kl order of the distance") > 1.5,
        )

    def residual(self, of: str, at: str, h: float = 0.8) -> float:
        return self.value(f"residual of {of} at {at} h={h:g}")

    def conditions(self) -> list[str]:
        own = max(self.residual(name, name, h) for name in CONDITIONS for h in (0.4, 0.8))
        near, far = self.residual("sinkhorn_proxy", "deng"), self.residual("sinkhorn", "deng")
        return self.said(
            f"""The conditions of Algorithm 2, of the proxy, of K corrections and of the Sinkhorn divergence have different
            solutions (variances at h = 0.8: [[rest of deng h=0.8 variance|.3f]], [[rest of sinkhorn_proxy h=0.8 variance|.3f]],
            [[rest of sinkhorn_steps, K = 1 h=0.8 variance|.3f]] for K = 1 and [[rest of sinkhorn h=0.8 variance|.3f]]). Each is
            met at its own rest (to {own:.0e} of the longest possible residual). At the rest of Algorithm 2 the proxy's
            condition is off by {near:.3f} and that of the Sinkhorn divergence by {far:.3f}.""",
            own < 1e-6 and far > 3 * near,
        )

    def corrections(self) -> list[str]:
        rests = [self.residual("sinkhorn", f"sinkhorn_steps, K = {k}") for k in (0, 1, 3, 10)]
        return self.said(
            f"""K corrections lead from `kl` to the Sinkhorn divergence, whose residual is {", ".join(f"{x:.2g}" for x in rests)} at
            the rests of K = 0, 1, 3, 10 (h = 0.8).""",
            all(a > b for a, b in zip(rests[:-1], rests[1:], strict=True)),
        )
