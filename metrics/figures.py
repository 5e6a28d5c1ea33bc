"""The questions that a picture is measured by, and the figures that answer them.

A figure belongs to a key of QUESTIONS. What could not be measured is absent and has a reason instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

# In a mapping of references, who gives the whole identity.
PERSON = "person"
# The parts whose likeness is measured.
PARTS = ("eyes", "brows", "nose", "mouth")
HIGHER, LOWER = "higher", "lower"


@dataclass(frozen=True)
class Question:
    """`title`: for tables and pictures.

    `unit`: of the figure, "" for a plain number.
    `better`: HIGHER or LOWER.
    `ends`: the figures at the empty and at the full end of a bar; two photographs of two people chosen by chance have a
        third of a bar or less in pose, expression, gaze and light.
    `needs`: what is compared with the result, beside nets that the pack brings.
    `meaning`: one sentence.
    `source`: definition or publication.
    """

    title: str
    unit: str
    better: str
    ends: tuple[float, float]
    needs: str
    meaning: str
    source: str

    def goodness(self, figure: float) -> float:
        """0..1: how full the bar is."""
        empty, full = self.ends
        return min(1.0, max(0.0, (figure - empty) / (full - empty)))

    def in_words(self, figure: float) -> str:
        """The figure with its unit."""
        return f"{self.number(figure)}{self.unit if self.unit in ('', '%', 'x') else f' {self.unit}'}"

    def number(self, figure: float) -> str:
        """The figure to three digits or so."""
        if abs(figure) < 0.00005:
            return "0"
        digits = 0 if abs(figure) >= 100 else 1 if abs(figure) >= 10 else 2 if abs(figure) >= 0.1 else 4
        return f"{figure:.{digits}f}"


_HOG = "cosine of histograms of oriented gradients (Dalal and Triggs 2005); ours, as FPSim's extractor is not published"
_MOTION = "landmarks, `detectors.motion`"


def _of_parts() -> dict[str, Question]:
    questions = {}
    for part in PARTS:
        name = part.capitalize()
        questions[f"taken_{part}"] = Question(
            f"{name} taken over", "%", HIGHER, (0, 100), f"the target, and a reference that gives {part}",
            "0 % where the part is the target's own, 100 % where it is the reference's",
            f"the way between both, by the {_HOG}",
        )  # fmt: skip
        questions[f"likeness_{part}"] = Question(
            f"{name} like the reference's", "", HIGHER, (0, 1), f"a reference that gives {part}",
            "0 for parts that have nothing in common, 1 for the same picture", _HOG,
        )  # fmt: skip
    return questions


QUESTIONS: Mapping[str, Question] = {
    **_of_parts(),
    "identity": Question(
        "Person like the reference", "", HIGHER, (0, 0.7), "a reference for the person, and a face recogniser",
        "about 0 for two people, 0.3 to 0.8 for two photographs of one", "cosine of a recogniser's vectors",
    ),
    "identity_target": Question(
        "Person like the target", "", LOWER, (0.7, 0), "the target, and a face recogniser",
        "how much of the target's person is left", "cosine of a recogniser's vectors",
    ),
    "pose": Question(
        "Head turned from the target's", "degrees", LOWER, (20, 0), "the target",
        "the angle of the rotation between both heads", "head angles from the mesh, `detectors.pose`",
    ),
    "expression": Question(
        "Expression other than the target's", "%", LOWER, (6, 0), "the target",
        "mean difference of mouth, brows and lids, in percent of the eye distance", _MOTION,
    ),
    "expression_deep3d": Question(
        "Expression other than the target's (Deep3D)", "", LOWER, (10, 0), "the target, and Deep3DFaceRecon's weights",
        "distance of the 64 expression coefficients", "Deep3DFaceRecon, arXiv 1903.08527",
    ),
    "gaze": Question(
        "Gaze other than the target's", "%", LOWER, (10, 0), "the target",
        "how far the irises lie elsewhere in their eyes, in percent of an eye's width", _MOTION,
    ),
    "light": Question(
        "Light other than the target's", "L", LOWER, (12, 0), "the target",
        "mean difference of the broad lightness of the skin, in steps of L (0 to 100)", "CIELAB; ours",
    ),
    "seam": Question(
        "Edge of the change", "x", LOWER, (2, 1), "the target, of the same size",
        "the gradient along the edge of what changed, as a multiple of the target's there", "ours",
    ),
    "rim": Question(
        "Tone along the rim of the change", "Lab", LOWER, (20, 2), "the target, of the same size",
        "how far the broad tone inside the edge of what changed is from the target's: it sees a patch with a soft edge",
        "CIELAB distance; ours",
    ),
    "mse": Question(
        "Mean squared error", "", LOWER, (0.05, 0), "the target, of the same size",
        "mean squared difference of the values in 0..1", "formula",
    ),
    "psnr": Question(
        "PSNR", "dB", HIGHER, (10, 50), "the target, of the same size",
        "the same in decibels below the largest value", "formula; equal to scikit-image's",
    ),
    "ssim": Question(
        "SSIM", "", HIGHER, (0.5, 1), "the target, of the same size",
        "structural similarity, 1 for the same picture", "Wang et al. 2004; equal to scikit-image's",
    ),
    "psnr_outside": Question(
        "PSNR outside the face", "dB", HIGHER, (20, 60), "the target, of the same size",
        "PSNR of what lies outside the target's face oval, which should have stayed", "formula; the mask is ours",
    ),
    "ssim_outside": Question(
        "SSIM outside the face", "", HIGHER, (0.5, 1), "the target, of the same size",
        "SSIM of what lies outside the target's face oval", "Wang et al. 2004; the mask is ours",
    ),
    "lpips": Question(
        "LPIPS", "", LOWER, (0.5, 0), "the target, of the same size, and torchmetrics with AlexNet's weights",
        "perceptual distance", "Zhang et al. 2018, by torchmetrics",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Figures:
    """`values`: by key of QUESTIONS. `reasons`: why others are missing, by key."""

    values: Mapping[str, float] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)

    def mean_of(self, keys: Iterable[str]) -> float | None:
        """The mean of those of these figures that were measured, None without one."""
        values = [self.values[key] for key in keys if key in self.values]
        return sum(values) / len(values) if values else None
