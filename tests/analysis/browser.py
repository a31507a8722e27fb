"""The page in a browser without a network, and the parts of its explorer."""

import shutil

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SECONDS = 1000  # milliseconds
IDLE = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


class Shown:
    """A page that is open, and the parts of its first explorer by name."""

    def __init__(self, page, file):
        self.page, self.errors, self.requests = page, [], []
        page.on("console", lambda message: self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("dialog", lambda dialog: self.errors.append(dialog.message))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(file.as_uri())

    def part(self, name):
        return self.page.locator(f'.explorer [data-part="{name}"]').first

    def text(self, name):
        return " ".join(self.part(name).inner_text().split())

    def picture(self):
        self.page.evaluate(IDLE)
        return self.part("map").evaluate("canvas => canvas.toDataURL()")

    def press(self, *keys):
        self.part("map").focus()
        for key in keys:
            self.page.keyboard.press(key)

    def middle(self):
        box = self.part("map").bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def names(self):
        return self.part("classes").locator("label").all_inner_texts()
