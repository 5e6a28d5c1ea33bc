"""Chinese (simplified)."""

from __future__ import annotations

from .language import Language

_LENGTHS = {"bald": "光头", "short": "短", "medium-length": "中长", "long": "长"}
_COLOURS = {"black": "黑", "brown": "棕", "blond": "金", "red": "红", "grey": "灰", "white": "白"}

CHINESE = Language(
    tags={
        "yaw": {
            "profile left": "朝左的侧脸", "turned left": "头转向左侧", "slightly left": "头略微转向左侧",
            "frontal": "正对镜头", "slightly right": "头略微转向右侧", "turned right": "头转向右侧",
            "profile right": "朝右的侧脸",
        },
        "pitch": {
            "lowered": "低头", "slightly lowered": "略微低头", "slightly raised": "略微抬头", "raised": "抬头",
        },
        "roll": {"tilted left": "头向左歪", "tilted right": "头向右歪"},
        "face_shape": {"round": "圆脸", "oval": "椭圆脸", "long": "长脸"},
        "jaw": {"narrow": "窄下颌", "broad": "宽下颌"},
        "hair_length": {"bald": "光头", "short": "短发", "medium-length": "中长发", "long": "长发"},
        "hair_colour": {word: f"{own}发" for word, own in _COLOURS.items()},
        "fringe": {"fringe": "刘海"},
        "beard": {"beard": "络腮胡或下巴胡须"}, "moustache": {"moustache": "八字胡"},
        "spectacles": {"spectacles": "戴眼镜"}, "hat": {"hat": "戴帽子"}, "covered": {"something": "脸前有遮挡物"},
        "eye_openness": {"closed": "闭着眼睛", "narrowed": "眯着眼睛", "wide open": "睁大眼睛"},
        "eye_shape": {"downturned": "眼角下垂", "upturned": "眼角上扬"},
        "eye_distance": {"close-set": "眼距较窄", "wide-set": "眼距较宽"},
        "gaze": {"left": "看向左侧", "right": "看向右侧"},
        "iris_colour": {"brown": "棕色眼睛", "light": "浅色眼睛"},
        "brow_thickness": {"thin": "细眉", "thick": "浓眉"},
        "brow_arch": {"straight": "平眉", "arched": "弯眉"},
        "brow_gap": {"close together": "眉间距较窄", "far apart": "眉间距较宽"},
        "nose_length": {"short": "短鼻子", "long": "长鼻子"},
        "nose_width": {"narrow": "窄鼻子", "wide": "宽鼻子"},
        "mouth_width": {"narrow": "嘴较窄", "wide": "嘴较宽"},
        "lip_thickness": {"thin": "薄嘴唇", "full": "厚嘴唇"},
        "mouth_open": {"closed": "闭着嘴", "slightly open": "嘴微张", "open": "张着嘴"},
        "teeth": {"visible": "露出牙齿"},
        "skin_tone": {
            "very light": "肤色很浅", "light": "浅肤色", "medium": "中等肤色", "tan": "小麦色皮肤",
            "brown": "棕色皮肤", "dark": "深肤色",
        },
        "lip_colour": {"pale": "唇色较淡", "red": "红唇"},
        "expression": {
            "smiling": "微笑", "laughing": "大笑", "surprised": "神情惊讶", "unhappy": "嘴角下垂",
            "neutral": "表情平静",
        },
        "light_side": {"left": "光从左侧照来", "right": "光从右侧照来"},
        "light_height": {"above": "光从上方照来", "below": "光从下方照来"},
        "light_hardness": {"soft": "光线柔和", "hard": "光线强硬"},
        "sharpness": {"blurred": "画面模糊", "slightly soft": "画面略虚"},
        "size": {"tiny": "脸在画面中很小"},
    },
    predicates={
        "yaw": {
            "profile left": "为朝左的侧面", "turned left": "转向左侧", "slightly left": "略微转向左侧",
            "frontal": "正对镜头", "slightly right": "略微转向右侧", "turned right": "转向右侧",
            "profile right": "为朝右的侧面",
        },
        "pitch": {
            "lowered": "低下", "slightly lowered": "略微低下", "level": "保持水平", "slightly raised": "略微抬起",
            "raised": "抬起",
        },
        "roll": {"tilted left": "向左歪", "upright": "端正", "tilted right": "向右歪"},
        "face_shape": {"round": "呈圆形", "oval": "呈椭圆形", "long": "偏长"},
        "jaw": {"narrow": "下颌较窄", "average": "下颌宽度适中", "broad": "下颌较宽"},
        "expression": {
            "smiling": "带着微笑", "laughing": "正在大笑", "surprised": "神情惊讶", "unhappy": "嘴角下垂",
            "neutral": "没有明显表情",
        },
        "covered": {"something": "前面有遮挡物"},
        "hair_length": {"bald": "几乎没有", "short": "较短", "medium-length": "中等长度", "long": "较长"},
        "hair_colour": {word: f"为{own}色" for word, own in _COLOURS.items()},
        "fringe": {"fringe": "垂在额前", "no fringe": "露出额头"},
        "beard": {"beard": "留着胡须", "none": "没有胡须"},
        "moustache": {"moustache": "留着八字胡", "none": "没有八字胡"},
        "spectacles": {"spectacles": "戴着眼镜", "none": "没有戴眼镜"},
        "hat": {"hat": "戴着帽子"},
        "eye_openness": {"closed": "闭着", "narrowed": "眯着", "open": "睁开", "wide open": "睁得很大"},
        "eye_shape": {"downturned": "外眼角下垂", "upturned": "外眼角上扬"},
        "eye_distance": {"close-set": "间距较窄", "average": "间距适中", "wide-set": "间距较宽"},
        "gaze": {"left": "看向左侧", "ahead": "直视前方", "right": "看向右侧"},
        "iris_colour": {"brown": "虹膜为棕色", "light": "虹膜为浅色（蓝、绿或灰）"},
        "brow_thickness": {"thin": "较细", "average": "粗细适中", "thick": "浓密"},
        "brow_arch": {"straight": "平直", "average": "略有弧度", "arched": "弯曲"},
        "brow_gap": {"close together": "间距较窄", "far apart": "间距较宽"},
        "nose_length": {"short": "较短", "average": "长度适中", "long": "较长"},
        "nose_width": {"narrow": "较窄", "average": "宽度适中", "wide": "较宽"},
        "mouth_open": {"closed": "闭着", "slightly open": "微微张开", "open": "张开"},
        "mouth_width": {"narrow": "较窄", "average": "宽度适中", "wide": "较宽"},
        "lip_thickness": {"thin": "嘴唇较薄", "average": "嘴唇厚度适中", "full": "嘴唇较厚"},
        "lip_colour": {"pale": "唇色较淡", "average": "唇色自然", "red": "唇色红润"},
        "teeth": {"visible": "露出牙齿", "hidden": "没有露出牙齿"},
        "skin_tone": {
            "very light": "颜色很浅", "light": "颜色较浅", "medium": "颜色中等", "tan": "为小麦色",
            "brown": "为棕色", "dark": "颜色较深",
        },
        "light_side": {"left": "来自左侧", "even": "左右均匀", "right": "来自右侧"},
        "light_height": {"above": "来自上方", "below": "来自下方"},
        "light_hardness": {"soft": "柔和", "average": "对比适中", "hard": "强硬"},
        "sharpness": {"blurred": "模糊", "slightly soft": "略虚", "sharp": "清晰"},
        "size": {"tiny": "脸显得很小", "small": "脸显得较小"},
    },
    subjects={
        "head": "头部", "face": "脸部", "hair": "头发", "person": "此人", "eyes": "眼睛", "brows": "眉毛",
        "nose": "鼻子", "mouth": "嘴", "skin": "皮肤", "light": "光线", "picture": "画面",
    },
    hair="{length}{colour}发", lengths=_LENGTHS, colours=_COLOURS, perhaps="可能",
    opening="人像", features="，", ending="", hedged_verbs=(),
    comma="，", last="，", stop="。", space="", portrait="人像照片", no_face="没有人脸",
)  # fmt: skip
