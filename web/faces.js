// A click on a face in the picture of a Face Part Detect node chooses it, with Shift or Ctrl it adds it or takes it away; under
// the pointer a face shows its number and score.
import { app } from "../../scripts/app.js"
import { showLastRun } from "./last_run.js"
import { pictureAt } from "./node_pictures.js"
import { word } from "./words.js"

const NODE = "FacePartDetect"
// Its inputs that say which faces are chosen, and nothing about which there are.
const CHOICE = ["order", "index", "also"]
// Pixels that the pointer may move between press and release of a click.
const STILL = 5

let pressed = null
let mark = null

const widgetOf = (node, name) => node.widgets?.find(widget => widget.name === name)

// The order of the faces of a picture, and for each its box in shares of the picture and its score, as the node told them
// with its picture.
function factsOf(address) {
    const name = new URL(address, location.href).searchParams.get("filename")
    const files = Object.values(app.nodeOutputs ?? {}).flatMap(output => output?.images ?? [])
    return files.find(file => file?.filename === name && file.face_part_fusion)?.face_part_fusion
}

// The face under the pointer: {node, order, number, score, box on the page}, or null. Of faces that overlap, the smallest.
function faceAt(event) {
    const picture = pictureAt(event, NODE)
    const known = picture && factsOf(picture.image.src)
    if (!known) return null
    const [left, top, width, height] = picture.place
    const faces = known.faces.map(({box: [x0, y0, x1, y1], score}, number) => ({
        node: picture.node, order: known.order, number, score,
        box: [left + x0 * width, top + y0 * height, (x1 - x0) * width, (y1 - y0) * height],
    }))
    const under = faces.filter(({box: [x, y, w, h]}) =>
        x <= event.clientX && event.clientX <= x + w && y <= event.clientY && event.clientY <= y + h)
    return under.sort((a, b) => a.box[2] * a.box[3] - b.box[2] * b.box[3])[0] ?? null
}

const isWired = (node, name) => node.inputs?.some(input => input.name === name && input.link != null)
// Whether a wire says which face is chosen, so that a click cannot.
const isFixed = ({node}) => isWired(node, "order") || isWired(node, "index")

// The numbers of the chosen faces, in the order in which a picture numbers them; none where the node now has another.
function chosenNumbers({node, order}) {
    if (widgetOf(node, "order")?.value !== order) return []
    const further = String(widgetOf(node, "also")?.value ?? "").match(/\d+/g) ?? []
    return [...new Set([widgetOf(node, "index")?.value, ...further.map(Number)])]
}

const isChosen = face => chosenNumbers(face).includes(face.number)

function set(node, name, value) {
    const widget = widgetOf(node, name)
    if (!widget || widget.value === value) return
    widget.value = value
    widget.callback?.(value, app.canvas, node)
}

function show(face, text) {
    if (!mark) {
        mark = document.body.appendChild(document.createElement("div"))
        mark.id = "face-part-fusion-mark"
        mark.style.cssText = "position:fixed;z-index:1000;pointer-events:none;border:2px solid #ffc107;border-radius:4px;"
            + "box-sizing:border-box"
        const label = mark.appendChild(document.createElement("span"))
        label.style.cssText = "position:absolute;left:-2px;top:100%;padding:1px 6px;white-space:nowrap;color:#141418;"
            + "background:#ffc107;border-radius:4px;font:12px sans-serif"
    }
    const [x, y, width, height] = face.box
    Object.assign(mark.style, {left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px`, display: ""})
    const sentence = [`${word("faces", "face") ?? ""} ${face.number}`, face.score.toFixed(2), text]
    mark.firstChild.textContent = sentence.filter(Boolean).join(" · ")
}

function hide() {
    if (mark) mark.style.display = "none"
}

function onMove(event) {
    const face = event.buttons ? null : faceAt(event)
    if (!face) return hide()
    show(face, isFixed(face) ? "" : word("faces", isChosen(face) ? "chosen" : "choose"))
}

// What a click leaves chosen: the face alone, or with `adds` those of before with it or without it, but never nobody.
function afterClick(face, adds) {
    const before = adds ? chosenNumbers(face) : []
    if (!before.includes(face.number)) return [...before, face.number]
    return before.length > 1 ? before.filter(number => number !== face.number) : before
}

function onRelease(event) {
    const press = pressed
    pressed = null
    if (!press || Math.hypot(event.clientX - press.x, event.clientY - press.y) > STILL) return
    const face = faceAt(event)
    if (!face || isFixed(face)) return
    const adds = (event.shiftKey || event.ctrlKey || event.metaKey) && !isWired(face.node, "also")
    const [index, ...also] = afterClick(face, adds)
    // The numbers in the picture are those of the order in which it was drawn.
    set(face.node, "order", face.order)
    set(face.node, "index", index)
    if (!isWired(face.node, "also")) set(face.node, "also", also.join(", "))
    app.canvas.setDirty(true, true)
    show(face, word("faces", isChosen(face) ? "run" : "away"))
}

app.registerExtension({
    name: "FacePartFusion.Faces",
    setup() {
        window.addEventListener("pointermove", onMove, {capture: true, passive: true})
        window.addEventListener("pointerdown", event => {
            pressed = event.button === 0 ? {x: event.clientX, y: event.clientY} : null
        }, {capture: true, passive: true})
        window.addEventListener("pointerup", onRelease, {capture: true, passive: true})
        window.addEventListener("wheel", hide, {capture: true, passive: true})
    },
    async afterConfigureGraph() {
        try {
            await showLastRun(NODE, CHOICE)
        } catch (error) {
            console.warn("Face Part Fusion: pictures of earlier runs could not be shown again.", error)
        }
    },
})
