"""English."""

from __future__ import annotations

from .language import Language

_LENGTHS = {"bald": "bald", "short": "short", "medium-length": "medium-length", "long": "long"}
_COLOURS = {"black": "black", "brown": "brown", "blond": "blond", "red": "red", "grey": "grey", "white": "white"}

ENGLISH = Language(
    tags={
        "yaw": {
            "profile left": "in profile to the left", "turned left": "head turned to the left",
            "slightly left": "head turned slightly to the left", "frontal": "facing the camera",
            "slightly right": "head turned slightly to the right", "turned right": "head turned to the right",
            "profile right": "in profile to the right",
        },
        "pitch": {
            "lowered": "head lowered", "slightly lowered": "head slightly lowered",
            "slightly raised": "head slightly raised", "raised": "head raised",
        },
        "roll": {"tilted left": "head tilted to the left", "tilted right": "head tilted to the right"},
        "face_shape": {"round": "a round face", "oval": "an oval face", "long": "a long face"},
        "jaw": {"narrow": "a narrow jaw", "broad": "a broad jaw"},
        "hair_length": {
            "bald": "a bald head", "short": "short hair", "medium-length": "medium-length hair", "long": "long hair",
        },
        "hair_colour": {word: f"{word} hair" for word in _COLOURS},
        "fringe": {"fringe": "a fringe"},
        "beard": {"beard": "a beard"}, "moustache": {"moustache": "a moustache"},
        "spectacles": {"spectacles": "spectacles"}, "hat": {"hat": "a hat"},
        "covered": {"something": "something in front of the face"},
        "eye_openness": {"closed": "closed eyes", "narrowed": "narrowed eyes", "wide open": "wide open eyes"},
        "eye_shape": {"downturned": "downturned eyes", "upturned": "upturned eyes"},
        "eye_distance": {"close-set": "close-set eyes", "wide-set": "wide-set eyes"},
        "gaze": {"left": "looking to the left", "right": "looking to the right"},
        "iris_colour": {"brown": "brown eyes", "light": "light-coloured eyes"},
        "brow_thickness": {"thin": "thin brows", "thick": "thick brows"},
        "brow_arch": {"straight": "straight brows", "arched": "arched brows"},
        "brow_gap": {"close together": "brows close together", "far apart": "brows far apart"},
        "nose_length": {"short": "a short nose", "long": "a long nose"},
        "nose_width": {"narrow": "a narrow nose", "wide": "a wide nose"},
        "mouth_width": {"narrow": "a narrow mouth", "wide": "a wide mouth"},
        "lip_thickness": {"thin": "thin lips", "full": "full lips"},
        "mouth_open": {"closed": "mouth closed", "slightly open": "mouth slightly open", "open": "mouth open"},
        "teeth": {"visible": "visible teeth"},
        "skin_tone": {
            "very light": "very light skin", "light": "light skin", "medium": "medium skin", "tan": "tan skin",
            "brown": "brown skin", "dark": "dark skin",
        },
        "lip_colour": {"pale": "pale lips", "red": "red lips"},
        "expression": {
            "smiling": "smiling", "laughing": "laughing", "surprised": "looking surprised",
            "unhappy": "corners of the mouth turned down", "neutral": "with a neutral expression",
        },
        "light_side": {"left": "lit from the left", "right": "lit from the right"},
        "light_height": {"above": "lit from above", "below": "lit from below"},
        "light_hardness": {"soft": "in soft light", "hard": "in hard light"},
        "sharpness": {"blurred": "blurred", "slightly soft": "slightly out of focus"},
        "size": {"tiny": "very small in the picture"},
    },
    predicates={
        "yaw": {
            "profile left": "is seen in profile, looking to the left", "turned left": "is turned to the left",
            "slightly left": "is turned slightly to the left", "frontal": "faces the camera",
            "slightly right": "is turned slightly to the right", "turned right": "is turned to the right",
            "profile right": "is seen in profile, looking to the right",
        },
        "pitch": {
            "lowered": "is lowered", "slightly lowered": "is slightly lowered", "level": "is held level",
            "slightly raised": "is slightly raised", "raised": "is raised",
        },
        "roll": {
            "tilted left": "is tilted to the left", "upright": "is upright", "tilted right": "is tilted to the right",
        },
        "face_shape": {"round": "is round", "oval": "is oval", "long": "is long"},
        "jaw": {"narrow": "has a narrow jaw", "average": "has a jaw of average width", "broad": "has a broad jaw"},
        "expression": {
            "smiling": "smiles", "laughing": "laughs", "surprised": "looks surprised",
            "unhappy": "has the corners of the mouth turned down",
            "neutral": "shows no strong expression",
        },
        "covered": {"something": "has something in front of it"},
        "hair_length": {
            "bald": "is absent", "short": "is short", "medium-length": "is of medium length", "long": "is long",
        },
        "hair_colour": {word: f"is {word}" for word in _COLOURS},
        "fringe": {"fringe": "falls over the forehead", "no fringe": "leaves the forehead free"},
        "beard": {"beard": "has a beard", "none": "has no beard"},
        "moustache": {"moustache": "has a moustache", "none": "has no moustache"},
        "spectacles": {"spectacles": "wears spectacles", "none": "wears no spectacles"},
        "hat": {"hat": "wears a hat"},
        "eye_openness": {
            "closed": "are closed", "narrowed": "are narrowed", "open": "are open", "wide open": "are wide open",
        },
        "eye_shape": {
            "downturned": "are turned down at the outer corners", "upturned": "are turned up at the outer corners",
        },
        "eye_distance": {
            "close-set": "are close-set", "average": "are an average distance apart", "wide-set": "are wide-set",
        },
        "gaze": {"left": "look to the left", "ahead": "look straight ahead", "right": "look to the right"},
        "iris_colour": {"brown": "have brown irises", "light": "have light irises (blue, green or grey)"},
        "brow_thickness": {"thin": "are thin", "average": "are of average thickness", "thick": "are thick"},
        "brow_arch": {"straight": "are straight", "average": "are gently curved", "arched": "are arched"},
        "brow_gap": {"close together": "lie close together", "far apart": "lie far apart"},
        "nose_length": {"short": "is short", "average": "is of average length", "long": "is long"},
        "nose_width": {"narrow": "is narrow", "average": "is of average width", "wide": "is wide"},
        "mouth_open": {"closed": "is closed", "slightly open": "is slightly open", "open": "is open"},
        "mouth_width": {"narrow": "is narrow", "average": "is of average width", "wide": "is wide"},
        "lip_thickness": {"thin": "has thin lips", "average": "has lips of average thickness", "full": "has full lips"},
        "lip_colour": {"pale": "has pale lips", "average": "has lips of a natural colour", "red": "has red lips"},
        "teeth": {"visible": "shows the teeth", "hidden": "hides the teeth"},
        "skin_tone": {
            "very light": "is very light", "light": "is light", "medium": "is of a medium tone", "tan": "is tan",
            "brown": "is brown", "dark": "is dark",
        },
        "light_side": {"left": "comes from the left", "even": "is even on both sides", "right": "comes from the right"},
        "light_height": {"above": "comes from above", "below": "comes from below"},
        "light_hardness": {"soft": "is soft", "average": "is of average contrast", "hard": "is hard"},
        "sharpness": {"blurred": "is blurred", "slightly soft": "is slightly soft", "sharp": "is sharp"},
        "size": {"tiny": "shows the face very small", "small": "shows the face small"},
    },
    subjects={
        "head": "The head", "face": "The face", "hair": "The hair", "person": "The person", "eyes": "The eyes",
        "brows": "The brows", "nose": "The nose", "mouth": "The mouth", "skin": "The skin", "light": "The light",
        "picture": "The picture",
    },
    hair="{length} {colour} hair", lengths=_LENGTHS, colours=_COLOURS, perhaps="perhaps ",
    opening="portrait of a person", features=", with ", ending="", hedged_verbs=("is ", "are ", "has ", "have "),
    comma=", ", last=" and ", stop=".", space=" ", portrait="portrait photo of a person",
    no_face="no face",
)  # fmt: skip
