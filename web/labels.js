// Choices whose names are terms of the field, in words. The value, which is saved and which messages quote, stands first.
import { app } from "../../scripts/app.js"

const WORDS = {
    PartComposite: {
        warp: {similarity: "keeps its shape", piecewise: "bends to the target"},
        covers: {spare: "stay on top", ignore: "are blended over"},
    },
    FacePartDetect: {
        on_missing: {error: "stop", "keep empty": "leave the picture", previous: "as in the picture before"},
    },
}

app.registerExtension({
    name: "FacePartFusion.Labels",
    nodeCreated(node) {
        for (const [name, words] of Object.entries(WORDS[node.comfyClass] ?? {})) {
            const options = node.widgets?.find(widget => widget.name === name)?.options
            if (options) options.getOptionLabel = value => words[value] ? `${value}: ${words[value]}` : String(value ?? "")
        }
    },
})
