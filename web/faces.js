// A click on a face in the picture of a Face Part Detect node chooses it; under the pointer a face shows its number and
// score. Works in the classic renderer, where pictures are drawn on the canvas, and in Nodes 2.0, where they are elements.
import { api } from "../../scripts/api.js"
import { app } from "../../scripts/app.js"

const NODE = "FacePartDetect"
// Pixels that the pointer may move between press and release of a click.
const STILL = 5
const WORDS = {
    en: {face: "face", choose: "click to choose", chosen: "chosen", run: "chosen: press Run"},
    ja: {face: "顔", choose: "クリックして選択", chosen: "選択中", run: "選択しました。実行してください"},
    zh: {face: "人脸", choose: "点击选择", chosen: "已选", run: "已选，请运行"},
}

// File name of a picture -> the order of its faces, and for each its box in shares of the picture and its score.
const facts = new Map()
let pressed = null
let mark = null

function words() {
    const language = app.ui?.settings?.getSettingValue?.("Comfy.Locale") ?? "en"
    return WORDS[language.slice(0, 2)] ?? WORDS.en
}

const widgetOf = (node, name) => node.widgets?.find(widget => widget.name === name)
const factsOf = address => facts.get(new URL(address, location.href).searchParams.get("filename"))

// The largest rectangle of a picture's shape inside a box: x, y, width, height.
function fitted([x, y, width, height], image, most = Infinity) {
    const scale = Math.min(width / image.naturalWidth, height / image.naturalHeight, most)
    const [w, h] = [image.naturalWidth * scale, image.naturalHeight * scale]
    return [x + (width - w) / 2, y + (height - h) / 2, w, h]
}

// Nodes 2.0: the picture under the pointer, its place on the page, and its node.
function pictureInElement(event) {
    const element = event.target instanceof Element ? event.target : null
    const owner = element?.closest("[data-node-id]")
    if (!owner || element.closest("button, input")) return null
    const node = app.canvas.graph?.getNodeById(owner.dataset.nodeId) ?? app.canvas.graph?.getNodeById(Number(owner.dataset.nodeId))
    const image = [...owner.querySelectorAll("img")].find(each => {
        const {left, right, top, bottom} = each.getBoundingClientRect()
        return left <= event.clientX && event.clientX <= right && top <= event.clientY && event.clientY <= bottom
    })
    if (node?.type !== NODE || !image?.naturalWidth) return null
    const {x, y, width, height} = image.getBoundingClientRect()
    return {node, image, place: fitted([x, y, width, height], image)}
}

// The classic renderer: where the preview widget draws the one picture that is shown.
function pictureOnCanvas(event) {
    if (event.target !== app.canvas.canvas || LiteGraph.vueNodesMode) return null
    const [x, y] = app.canvas.convertEventToCanvasOffset(event)
    const node = app.canvas.graph?.getNodeOnPos(x, y, app.canvas.visible_nodes)
    if (node?.type !== NODE || node.flags?.collapsed || !node.imgs?.length) return null
    const image = node.imgs[node.imageIndex ?? (node.imgs.length === 1 ? 0 : -1)]
    const preview = node.widgets?.find(widget => widget.name?.startsWith("$$canvas-image-preview"))
    if (!image?.naturalWidth || !preview) return null
    const label = app.ui?.settings?.getSettingValue?.("Comfy.Node.AllowImageSizeDraw") === false ? 0 : 15
    const box = [0, preview.y, node.size[0], (preview.computedHeight ?? 0) - label]
    const [left, top, width, height] = fitted(box, image, 1)
    const {x: pageX, y: pageY} = app.canvas.canvas.getBoundingClientRect()
    const {scale, offset} = app.canvas.ds
    const onPage = (value, i) => (value + node.pos[i] + offset[i]) * scale + [pageX, pageY][i]
    return {node, image, place: [onPage(left, 0), onPage(top, 1), width * scale, height * scale]}
}

// The face under the pointer: {node, order, number, score, box on the page}, or null. Of faces that overlap, the smallest.
function faceAt(event) {
    const picture = pictureInElement(event) ?? pictureOnCanvas(event)
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
const isChosen = ({node, order, number}) =>
    widgetOf(node, "order")?.value === order && widgetOf(node, "index")?.value === number

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
    const sentence = [`${words().face} ${face.number}`, face.score.toFixed(2), text]
    mark.firstChild.textContent = sentence.filter(Boolean).join(" · ")
}

function hide() {
    if (mark) mark.style.display = "none"
}

function onMove(event) {
    const face = event.buttons ? null : faceAt(event)
    if (!face) return hide()
    show(face, isChosen(face) ? words().chosen : isFixed(face) ? "" : words().choose)
}

function onRelease(event) {
    const press = pressed
    pressed = null
    if (!press || Math.hypot(event.clientX - press.x, event.clientY - press.y) > STILL) return
    const face = faceAt(event)
    if (!face || isFixed(face)) return
    // The numbers in the picture are those of the order in which it was drawn.
    set(face.node, "order", face.order)
    set(face.node, "index", face.number)
    app.canvas.setDirty(true, true)
    show(face, words().run)
}

app.registerExtension({
    name: "FacePartFusion.Faces",
    setup() {
        api.addEventListener("executed", ({detail}) => {
            for (const file of detail?.output?.images ?? []) {
                if (file?.face_part_fusion) facts.set(file.filename, file.face_part_fusion)
            }
        })
        window.addEventListener("pointermove", onMove, {capture: true, passive: true})
        window.addEventListener("pointerdown", event => {
            pressed = event.button === 0 ? {x: event.clientX, y: event.clientY} : null
        }, {capture: true, passive: true})
        window.addEventListener("pointerup", onRelease, {capture: true, passive: true})
        window.addEventListener("wheel", hide, {capture: true, passive: true})
    },
})
