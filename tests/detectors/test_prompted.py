"""Runs the real GroundingDINO and Segment Anything classes on tiny random weights; no file is fetched."""

import json
import sys
from functools import partial

import numpy as np
import pytest
import torch
from face_part_fusion.detectors.parts import PARTS
from face_part_fusion.detectors.prompted import PromptedDetector, sam_kind

WORDS = ("face", "eyes", "eye", "nose", "mouth", "red", "hair", "brows")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A GroundingDINO folder as `transformers` saves it."""
    transformers = pytest.importorskip("transformers", reason="needs pip install transformers")
    from transformers import BertConfig, BertTokenizerFast, GroundingDinoConfig, SwinConfig
    from transformers import GroundingDinoForObjectDetection as Model

    path = tmp_path_factory.mktemp("grounding-dino")
    # The model knows the ids that these have in BERT's vocabulary and separates phrases by them.
    vocabulary = [f"[unused{i}]" for i in range(1040)]
    for i, token in {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]", 1012: ".", 1029: "?"}.items():
        vocabulary[i] = token
    vocabulary += WORDS
    (path / "vocab.txt").write_text("\n".join(vocabulary))
    tokenizer = BertTokenizerFast(str(path / "vocab.txt"), model_max_length=32)
    try:
        images = transformers.GroundingDinoImageProcessor(size={"shortest_edge": 64, "longest_edge": 96})
    except ImportError as problem:
        pytest.skip(f"GroundingDINO's image processor cannot be used here: {problem}")
    torch.manual_seed(0)
    sizes = {"d_model": 32, "encoder_layers": 1, "decoder_layers": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32,
             "encoder_attention_heads": 2, "decoder_attention_heads": 2, "num_queries": 20,
             "max_text_len": 32}  # fmt: skip
    swin = SwinConfig(image_size=64, embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2], window_size=2,
                      out_features=["stage2", "stage3", "stage4"])  # fmt: skip
    bert = BertConfig(vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
                      intermediate_size=32)  # fmt: skip
    model = Model(GroundingDinoConfig(backbone_config=swin, text_config=bert, **sizes))
    model.save_pretrained(path)
    transformers.GroundingDinoProcessor(images, tokenizer).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def detector(folder):
    return PromptedDetector(folder)


@pytest.fixture(scope="module")
def sam_file(tmp_path_factory):
    """A Segment Anything checkpoint, and the registry entry that builds a model of its (tiny) size."""
    pytest.importorskip("torchvision", reason="segment-anything needs torchvision")
    package = pytest.importorskip("segment_anything", reason="needs pip install segment-anything torchvision")
    from segment_anything import modeling

    def build(checkpoint=None):
        return modeling.Sam(
            modeling.ImageEncoderViT(img_size=64, depth=1, embed_dim=768, mlp_ratio=0.1, out_chans=32, use_rel_pos=True,
                                     norm_layer=partial(torch.nn.LayerNorm, eps=1e-6), global_attn_indexes=(0,)),
            modeling.PromptEncoder(32, (4, 4), (64, 64), 4),
            modeling.MaskDecoder(transformer_dim=32, iou_head_hidden_dim=8,
                                 transformer=modeling.TwoWayTransformer(1, 32, 2, 16)),
        )  # fmt: skip

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("sams") / "sam_vit_b.pth"
    torch.save(build().state_dict(), path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(package.sam_model_registry, "vit_b", build)
        yield path


class Scripted(PromptedDetector):
    """The detector with the boxes of its model given, so that what becomes of them can be told."""

    def __init__(self, found):
        self._found, self._sam = found, None

    def _boxes(self, rgb, phrases, threshold):
        return [[(box, score) for box, score in self._found.get(p, []) if score >= threshold] for p in phrases]


def found_by(found, prompts, pictures=None):
    return Scripted(found)(torch.zeros(1, 60, 100, 3) if pictures is None else pictures, prompts, 0.3)


FACE = [((10.0, 10.0, 50.0, 58.0), 0.9)]


def test_random_weights_give_faces_and_parts_inside_the_picture(detector):
    pictures = torch.rand(2, 40, 56, 3, generator=torch.Generator().manual_seed(0))
    found = detector(pictures, {"nose": "nose", "hair": "red hair", "eyes": "eyes"}, 0.0)
    assert len(found) == 2 and all(faces for faces in found)
    for face in (f for faces in found for f in faces):
        assert set(face.regions) <= {"nose", "hair", "left_eye", "right_eye"}
        for box in (face.box, *(face.box_of(part) for part in face.regions)):
            assert 0 <= box[0] < box[2] <= 56 and 0 <= box[1] < box[3] <= 40
    assert detector(pictures, {"nose": "nose"}, 1.1) == ((), ())


def test_a_phrase_scores_as_the_best_of_its_own_words(detector):
    rgb = np.random.default_rng(0).integers(0, 255, (40, 56, 3), dtype=np.uint8)
    boxes = detector._boxes(rgb, ["face", "red hair"], 0.0)
    inputs = detector._processor(images=rgb, text="face. red hair.", return_tensors="pt")
    # [CLS] face . red hair . [SEP]
    assert inputs["input_ids"].shape[1] == 7
    with torch.no_grad():
        scores = detector._model(**inputs).logits[0].sigmoid()
    assert [s for _, s in boxes[0]] == pytest.approx(sorted(scores[:, 1].tolist(), reverse=True), abs=1e-5)
    assert [s for _, s in boxes[1]] == pytest.approx(sorted(scores[:, 3:5].amax(1).tolist(), reverse=True), abs=1e-5)


def test_boxes_are_those_of_transformers_own_post_processing(detector):
    rgb = np.random.default_rng(1).integers(0, 255, (40, 56, 3), dtype=np.uint8)
    ours = torch.tensor([box for box, _ in detector._boxes(rgb, ["face"], 0.0)[0]])
    inputs = detector._processor(images=rgb, text="face.", return_tensors="pt")
    with torch.no_grad():
        output = detector._model(**inputs)
    post = detector._processor.image_processor.post_process_object_detection
    theirs = post(output, threshold=-1, target_sizes=[(40, 56)])[0]["boxes"]
    clipped = theirs.clamp_min(0).minimum(torch.tensor([56.0, 40, 56, 40]))
    apart = torch.cdist(ours, clipped)
    assert len(ours) == len(theirs) and apart.amin(0).max() < 1e-2 and apart.amin(1).max() < 1e-2


def test_too_long_a_prompt_is_refused_and_not_cut(detector):
    with pytest.raises(ValueError, match="prompts are too long"):
        detector(torch.zeros(1, 40, 56, 3), {"nose": "red " * 40}, 0.3)


def test_each_part_goes_to_the_face_around_its_centre_and_the_best_box_wins():
    second = ((60.0, 10.0, 95.0, 55.0), 0.7)
    noses = [((25.0, 30.0, 35.0, 40.0), 0.8), ((24.0, 29.0, 36.0, 41.0), 0.5), ((72.0, 30.0, 80.0, 40.0), 0.6)]
    ((one, two),) = found_by({"face": [*FACE, second], "nose": noses}, {"nose": "nose"})
    assert one.box_of("nose") == noses[0][0] and two.box_of("nose") == noses[2][0]
    assert (one.score, two.score) == (0.9, 0.7) and one.scheme == ""


def test_a_part_outside_every_face_is_dropped_but_hair_belongs_to_the_nearest():
    found = {"face": FACE, "nose": [((70.0, 30.0, 80.0, 40.0), 0.8)], "hair": [((5.0, 0.0, 55.0, 12.0), 0.8)]}
    ((face,),) = found_by(found, {"nose": "nose", "hair": "hair"})
    assert set(face.regions) == {"hair"}


def test_two_boxes_on_one_face_are_one_face():
    ((face,),) = found_by({"face": [*FACE, ((11.0, 11.0, 51.0, 59.0), 0.8)]}, {"nose": "nose"})
    assert face.score == 0.9


def test_eyes_are_told_apart_by_the_middle_of_the_face():
    eyes = [((34.0, 20.0, 44.0, 26.0), 0.8), ((16.0, 20.0, 26.0, 26.0), 0.7)]
    ((face,),) = found_by({"face": FACE, "eye": eyes}, {"eyes": "eye"})
    assert face.box_of("left_eye") == eyes[1][0] and face.box_of("right_eye") == eyes[0][0]


def test_one_box_over_both_brows_is_halved_at_the_middle_of_the_face():
    ((face,),) = found_by({"face": FACE, "brows": [((14.0, 14.0, 48.0, 20.0), 0.8)]}, {"brows": "brows"})
    assert face.box_of("left_brow") == (14, 14, 30, 20) and face.box_of("right_brow") == (30, 14, 48, 20)


def test_one_eye_in_the_middle_of_a_profile_stays_whole():
    ((face,),) = found_by({"face": FACE, "eye": [((24.0, 20.0, 34.0, 26.0), 0.8)]}, {"eyes": "eye"})
    assert face.box_of("left_eye") == (24, 20, 34, 26) and not face.has("right_eye")


def test_asking_for_one_eye_gives_no_other():
    ((face,),) = found_by({"face": FACE, "eye": [((34.0, 20.0, 44.0, 26.0), 0.8)]}, {"left_eye": "eye"})
    assert not face.regions


def test_a_picture_without_a_face_or_too_small_for_one_keeps_its_place():
    assert found_by({}, {"nose": "nose"}, torch.zeros(2, 60, 100, 3)) == ((), ())
    assert found_by({"face": FACE}, {"nose": "nose"}, torch.zeros(1, 1, 1, 3)) == ((),)


def test_boxes_become_masks_of_the_picture_with_segment_anything(folder, sam_file):
    picture = torch.rand(1, 40, 56, 3, generator=torch.Generator().manual_seed(0))
    found = PromptedDetector(folder, sam_file)(picture, {"nose": "nose"}, 0.0)
    regions = [face.regions["nose"] for face in found[0] if face.has("nose")]
    assert regions
    for region in regions:
        # Random weights may outline nothing in a box; then the box stays.
        if region.mask is not None:
            assert region.mask.ndim == 2 and set(region.mask.unique().tolist()) <= {0, 1}
            assert region.corner[0] + region.mask.shape[1] <= 56 and region.corner[1] + region.mask.shape[0] <= 40
        assert region.box()
    assert any(region.mask is not None for region in regions)


@pytest.mark.parametrize("width, kind", [(768, "vit_b"), (1024, "vit_l"), (1280, "vit_h")])
def test_the_kind_of_segment_anything_is_read_from_the_width_of_its_encoder(width, kind):
    assert sam_kind({"image_encoder.pos_embed": torch.zeros(1, 64, 64, width)}) == kind


@pytest.mark.parametrize("state", [{}, {"image_encoder.pos_embed": torch.zeros(1, 4, 4, 320)}, torch.zeros(2)])
def test_another_state_dict_is_no_segment_anything(state):
    with pytest.raises(ValueError, match="not a checkpoint of the original Segment Anything"):
        sam_kind(state)


def test_a_checkpoint_that_is_missing_corrupt_or_incomplete_is_named(folder, sam_file, tmp_path):
    with pytest.raises(ValueError, match=r"checkpoint .*none\.pth does not exist"):
        PromptedDetector(folder, tmp_path / "none.pth")
    (tmp_path / "bad.pth").write_bytes(b"not weights")
    with pytest.raises(ValueError, match=r"bad\.pth cannot be read as plain weights"):
        PromptedDetector(folder, tmp_path / "bad.pth")
    torch.save({"image_encoder.pos_embed": torch.zeros(1, 4, 4, 768)}, tmp_path / "part.pth")
    with pytest.raises(ValueError, match=r"part\.pth does not fit vit_b"):
        PromptedDetector(folder, tmp_path / "part.pth")


def test_a_checkpoint_that_would_run_code_is_refused(folder, sam_file, tmp_path):
    torch.save({"image_encoder.pos_embed": partial(print, "run")}, tmp_path / "evil.pth")
    with pytest.raises(ValueError, match=r"evil\.pth cannot be read as plain weights"):
        PromptedDetector(folder, tmp_path / "evil.pth")


def test_a_folder_that_is_missing_empty_or_of_another_model_is_named(tmp_path):
    pytest.importorskip("transformers")
    with pytest.raises(ValueError, match=r"gone does not exist.*config\.json.*'built-in'"):
        PromptedDetector(tmp_path / "gone")
    with pytest.raises(ValueError, match=r"has no config\.json or no \.safetensors"):
        PromptedDetector(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ValueError, match="model of type 'bert'.*grounding-dino"):
        PromptedDetector(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "grounding-dino"}))
    with pytest.raises(ValueError, match="cannot be read: .*Copy the whole model anew"):
        PromptedDetector(tmp_path)


@pytest.mark.parametrize("prompts, said", [({"ear": "ear"}, "'ear', which is not"), ({"nose": " . "}, "no text")])
def test_prompts_that_cannot_be_used_are_named(prompts, said):
    with pytest.raises(ValueError, match=said):
        found_by({}, prompts)


@pytest.mark.parametrize("part", PARTS)
def test_every_part_can_be_prompted(part):
    ((face,),) = found_by({"face": FACE, "it": [((12.0, 20.0, 20.0, 26.0), 0.8), ((35.0, 20.0, 45.0, 26.0), 0.8)]},
                          {part: "it"})  # fmt: skip
    assert face.has(part)


def test_without_the_packages_the_error_names_them_and_the_alternative(monkeypatch, tmp_path, folder):
    monkeypatch.setitem(sys.modules, "segment_anything", None)
    with pytest.raises(ValueError, match="pip install segment-anything torchvision.*'none'"):
        PromptedDetector(folder, tmp_path / "sam.pth")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ValueError, match="pip install transformers.*'built-in'"):
        PromptedDetector(folder)
