"""Japanese."""

from __future__ import annotations

from .language import Language

_LENGTHS = {"bald": "スキンヘッド", "short": "短い", "medium-length": "ミディアムの", "long": "長い"}
_COLOURS = {"black": "黒い", "brown": "茶色の", "blond": "金色の", "red": "赤い", "grey": "灰色の", "white": "白い"}

JAPANESE = Language(
    tags={
        "yaw": {
            "profile left": "左向きの横顔", "turned left": "左を向いた顔", "slightly left": "やや左を向いた顔",
            "frontal": "正面を向いた顔", "slightly right": "やや右を向いた顔", "turned right": "右を向いた顔",
            "profile right": "右向きの横顔",
        },
        "pitch": {
            "lowered": "うつむいた頭", "slightly lowered": "やや下を向いた頭", "slightly raised": "やや上を向いた頭",
            "raised": "上を向いた頭",
        },
        "roll": {"tilted left": "左に傾けた頭", "tilted right": "右に傾けた頭"},
        "face_shape": {"round": "丸顔", "oval": "卵形の顔", "long": "面長"},
        "jaw": {"narrow": "細い顎", "broad": "幅広い顎"},
        "hair_length": {
            "bald": "スキンヘッド", "short": "短い髪", "medium-length": "ミディアムヘア", "long": "長い髪",
        },
        "hair_colour": {word: f"{own}髪" for word, own in _COLOURS.items()},
        "fringe": {"fringe": "前髪"},
        "beard": {"beard": "顎ひげ"}, "moustache": {"moustache": "口ひげ"},
        "spectacles": {"spectacles": "眼鏡"}, "hat": {"hat": "帽子"}, "covered": {"something": "顔の前に物がある"},
        "eye_openness": {"closed": "閉じた目", "narrowed": "細めた目", "wide open": "大きく見開いた目"},
        "eye_shape": {"downturned": "たれ目", "upturned": "つり目"},
        "eye_distance": {"close-set": "間隔の狭い目", "wide-set": "間隔の広い目"},
        "gaze": {"left": "左への視線", "right": "右への視線"},
        "iris_colour": {"brown": "茶色の瞳", "light": "明るい色の瞳"},
        "brow_thickness": {"thin": "細い眉", "thick": "太い眉"},
        "brow_arch": {"straight": "まっすぐな眉", "arched": "弓形の眉"},
        "brow_gap": {"close together": "間隔の狭い眉", "far apart": "間隔の広い眉"},
        "nose_length": {"short": "短い鼻", "long": "長い鼻"},
        "nose_width": {"narrow": "幅の狭い鼻", "wide": "幅の広い鼻"},
        "mouth_width": {"narrow": "小さな口", "wide": "大きな口"},
        "lip_thickness": {"thin": "薄い唇", "full": "厚い唇"},
        "mouth_open": {"closed": "閉じた口", "slightly open": "少し開いた口", "open": "開いた口"},
        "teeth": {"visible": "見えている歯"},
        "skin_tone": {
            "very light": "とても明るい肌", "light": "明るい肌", "medium": "中間の明るさの肌", "tan": "小麦色の肌",
            "brown": "褐色の肌", "dark": "暗い色の肌",
        },
        "lip_colour": {"pale": "淡い色の唇", "red": "赤い唇"},
        "expression": {
            "smiling": "微笑み", "laughing": "笑顔", "surprised": "驚いた表情", "unhappy": "下がった口角",
            "neutral": "落ち着いた表情",
        },
        "light_side": {"left": "左からの光", "right": "右からの光"},
        "light_height": {"above": "上からの光", "below": "下からの光"},
        "light_hardness": {"soft": "柔らかい光", "hard": "硬い光"},
        "sharpness": {"blurred": "ぼやけた写真", "slightly soft": "ややぼやけた写真"},
        "size": {"tiny": "とても小さく写った顔"},
    },
    predicates={
        "yaw": {
            "profile left": "左向きの横顔", "turned left": "左を向いている", "slightly left": "やや左を向いている",
            "frontal": "正面を向いている", "slightly right": "やや右を向いている", "turned right": "右を向いている",
            "profile right": "右向きの横顔",
        },
        "pitch": {
            "lowered": "うつむいている", "slightly lowered": "やや下を向いている", "level": "水平",
            "slightly raised": "やや上を向いている", "raised": "上を向いている",
        },
        "roll": {"tilted left": "左に傾いている", "upright": "まっすぐ", "tilted right": "右に傾いている"},
        "face_shape": {"round": "丸い", "oval": "卵形", "long": "面長"},
        "jaw": {"narrow": "顎が細い", "average": "顎の幅は標準的", "broad": "顎が幅広い"},
        "expression": {
            "smiling": "微笑んでいる", "laughing": "笑っている", "surprised": "驚いている",
            "unhappy": "口角が下がっている",
            "neutral": "目立った表情はない",
        },
        "covered": {"something": "前に物がある"},
        "hair_length": {"bald": "ほとんどない", "short": "短い", "medium-length": "ミディアム", "long": "長い"},
        "hair_colour": {
            "black": "黒", "brown": "茶色", "blond": "金色", "red": "赤", "grey": "灰色", "white": "白",
        },
        "fringe": {"fringe": "額にかかっている", "no fringe": "額にかかっていない"},
        "beard": {"beard": "顎ひげがある", "none": "顎ひげはない"},
        "moustache": {"moustache": "口ひげがある", "none": "口ひげはない"},
        "spectacles": {"spectacles": "眼鏡をかけている", "none": "眼鏡はかけていない"},
        "hat": {"hat": "帽子をかぶっている"},
        "eye_openness": {
            "closed": "閉じている", "narrowed": "細めている", "open": "開いている", "wide open": "大きく見開いている",
        },
        "eye_shape": {"downturned": "目尻が下がっている", "upturned": "目尻が上がっている"},
        "eye_distance": {"close-set": "間隔が狭い", "average": "間隔は標準的", "wide-set": "間隔が広い"},
        "gaze": {"left": "左を見ている", "ahead": "まっすぐ前を見ている", "right": "右を見ている"},
        "iris_colour": {"brown": "虹彩は茶色", "light": "虹彩は明るい色（青、緑、灰色）"},
        "brow_thickness": {"thin": "細い", "average": "太さは標準的", "thick": "太い"},
        "brow_arch": {"straight": "まっすぐ", "average": "ゆるやかな弧を描く", "arched": "弓形"},
        "brow_gap": {"close together": "間隔が狭い", "far apart": "間隔が広い"},
        "nose_length": {"short": "短い", "average": "長さは標準的", "long": "長い"},
        "nose_width": {"narrow": "幅が狭い", "average": "幅は標準的", "wide": "幅が広い"},
        "mouth_open": {"closed": "閉じている", "slightly open": "少し開いている", "open": "開いている"},
        "mouth_width": {"narrow": "小さい", "average": "幅は標準的", "wide": "大きい"},
        "lip_thickness": {"thin": "唇が薄い", "average": "唇の厚さは標準的", "full": "唇が厚い"},
        "lip_colour": {"pale": "唇の色は淡い", "average": "唇の色は自然", "red": "唇が赤い"},
        "teeth": {"visible": "歯が見えている", "hidden": "歯は見えていない"},
        "skin_tone": {
            "very light": "とても明るい", "light": "明るい", "medium": "中間の明るさ", "tan": "小麦色",
            "brown": "褐色", "dark": "暗い色",
        },
        "light_side": {"left": "左から当たっている", "even": "左右均等", "right": "右から当たっている"},
        "light_height": {"above": "上から当たっている", "below": "下から当たっている"},
        "light_hardness": {"soft": "柔らかい", "average": "コントラストは標準的", "hard": "硬い"},
        "sharpness": {"blurred": "ぼやけている", "slightly soft": "ややぼやけている", "sharp": "鮮明"},
        "size": {"tiny": "顔がとても小さい", "small": "顔が小さい"},
    },
    subjects={
        "head": "頭は", "face": "顔は", "hair": "髪は", "person": "この人物は", "eyes": "目は", "brows": "眉は",
        "nose": "鼻は", "mouth": "口は", "skin": "肌は", "light": "光は", "picture": "写真は",
    },
    hair="{length}{colour}髪", lengths=_LENGTHS, colours=_COLOURS, perhaps="おそらく",
    opening="", features="、", ending="の人物", hedged_verbs=(),
    comma="、", last="、", stop="。", space="", portrait="人物のポートレート写真", no_face="顔がない",
)  # fmt: skip
