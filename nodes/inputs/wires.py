"""The pack's own sockets and what travels on them.

FACE_PARTS: `detectors.parts.FaceParts`.
    `pictures` (B, H, W, 3) float32 0..1, the pictures that were searched. `faces`: for each picture a tuple of `Face`,
    each with box x0, y0, x1, y1 in pixels, score 0..1, landmarks (N, 2) in pixels and the name of their scheme, angles
    or None, and a `Region` for every part that it has. `chosen`: for each picture the index of the chosen face in this
    tuple, None where there is none. `detector`: its name, for messages. A batch never shrinks.
PART_REFERENCE: `fusion.composite.PartReference`.
    `parts`, a FaceParts; `strengths`, 0..1 by part, for the parts that this person gives; `mask`, (B or 1, H, W) on the
    reference's pictures with 1 = may be taken, or None.
FACE_CROP: `fusion.crop.FaceCrop`.
    The pictures that were cropped and, for each, the 2x3 transform and sizes that make the crop exactly invertible.
PART_FEATURES: `fusion.features.records.PartFeatures`.
    One person's parts as encoder tokens, with their boxes and masks in the encoder's view and a strength for each part
    that this person gives; of a target also its pictures.
FUSED_FEATURES: `fusion.features.records.FusedFeatures`.
    The target's map of tokens with the references' parts in it, the tokens of an empty picture, and who gave what.
FUSE_ADAPTER: `nodes.host.patcher.FuseAdapter`.
    The module that carries fused features into a UNet, in a host ModelPatcher, with its kind (A or B) and the width
    of the encoder that it was made for.
FACE_CONTROLLER: `nodes.host.controller.FaceController`, one class for IP-Adapters and one for FaceX.
    The weights that let reference faces steer a model, in a host ModelPatcher, with their model family and variant.
FACE_REPRESENTATION: one person as one kind of controller takes it.
    For an IP-Adapter `injection.ip_adapter.part_tokens.PartTokens`, encoder tokens of each part's own crop with
    strengths; for FaceX `injection.facex.representation.FaceRepresentation`, tokens of regions, identity and motion.
HEAD_LAYOUT: `fusion.regions.pair.HeadLayout`.
    For each picture a head and a body in the frame of the body's picture: pixels, layouts of five classes, and what the
    new person's layout is.
FACE_SWAPPER: `nodes.host.face_swap.FaceSwapper`.
    A generator that gives a face another identity, with the networks that identities come from, in the host's care.
FACE_IDENTITY: `injection.reliable_swap.identity.Identity`.
    One person's vector (width,) as the swapper of one `provider` reads it, a thumbnail, and of how many photographs.
FACE_PERSON: `injection.face_fusion.people.FacePerson`.
    One person's cut photographs, what of them may be looked at, a strength, and the region of the new picture that is
    this person's.
UNIFACE: `nodes.host.uniface.UniFace`.
    A transformer over text and image tokens with both its tokenisers, in the host's care.
FACE_LANDMARKS: the host's own type (core MediaPipe nodes, ComfyUI 0.23.0 and newer).
    A dict of `frames`, a list for each picture of its faces with `bbox_xyxy` (4,), `landmarks_xy` (478, 2) in pixels
    and `score`; `image_size` (H, W); `connection_sets`.
BOUNDING_BOX: the host's own type.
    One {x, y, width, height} in pixels, a list of them, or a list of such lists, one for each picture.
"""

from __future__ import annotations

from comfy_api.latest import io

FacePartsWire = io.Custom("FACE_PARTS")
PartReferenceWire = io.Custom("PART_REFERENCE")
FaceCropWire = io.Custom("FACE_CROP")
PartFeaturesWire = io.Custom("PART_FEATURES")
FusedFeaturesWire = io.Custom("FUSED_FEATURES")
FuseAdapterWire = io.Custom("FUSE_ADAPTER")
HeadLayoutWire = io.Custom("HEAD_LAYOUT")
FacePersonWire = io.Custom("FACE_PERSON")
FaceLandmarksWire = io.Custom("FACE_LANDMARKS")
FaceControllerWire = io.Custom("FACE_CONTROLLER")
FaceRepresentationWire = io.Custom("FACE_REPRESENTATION")
FaceSwapperWire = io.Custom("FACE_SWAPPER")
FaceIdentityWire = io.Custom("FACE_IDENTITY")
UniFaceWire = io.Custom("UNIFACE")
