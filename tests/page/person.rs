//! Somebody at a real browser, which is driven over `WebDriver`.

use std::{
    collections::BTreeSet,
    env, fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use fantoccini::{
    Client, ClientBuilder, Locator,
    elements::Element,
    wd::{Capabilities, WebDriverCompatibleCommand},
};
use http::Method;
use serde_json::{Value, json};
use tokio::runtime::{self, Runtime};
use url::Url;

/// How long a person waits for what should be on the screen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A browser and its driver.
pub(crate) struct Person {
    pub(crate) tabs: Client,
    runtime: Runtime,
    driver: Child,
    axe: Option<String>,
    /// The cards on which axe has looked.
    looked_at: BTreeSet<String>,
    /// What is wrong with what was seen.
    pub(crate) complaints: Vec<String>,
}

/// The messages in the browser's console; a command of chromedriver's own.
#[derive(Debug)]
struct Console;

impl WebDriverCompatibleCommand for Console {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({ "type": "browser" }).to_string()))
    }
}

impl Person {
    /// Somebody with a window of this width; `None` if there is no browser here.
    pub(crate) fn with_window(width: u32) -> Option<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let mut command = Command::new("chromedriver");
        let driver = command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let Ok(mut driver) = driver else {
            eprintln!("skipped: there is no chromedriver here");
            return None;
        };
        let mut lines = BufReader::new(driver.stdout.take().expect("its output")).lines();
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let port = line.split_once("started successfully on port ")?.1;
            Some(port.trim_end_matches('.').to_owned())
        });
        let port = port.expect("the port of chromedriver");
        std::thread::spawn(move || lines.for_each(drop));
        let arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio"];
        let arguments: Vec<_> =
            arguments.map(str::to_owned).into_iter().chain([format!("--window-size={width},1000")]).collect();
        let mut options = json!({ "args": arguments });
        // A window of Chromium has a least width.
        if width < 500 {
            let screen = json!({ "width": width, "height": 800, "pixelRatio": 1.0, "touch": false });
            options["mobileEmulation"] = json!({ "deviceMetrics": screen });
        }
        let wanted = json!({ "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } });
        let wanted: Capabilities = serde_json::from_value(wanted).expect("capabilities");
        let connect = async {
            ClientBuilder::new(connector()).capabilities(wanted).connect(&format!("http://127.0.0.1:{port}")).await
        };
        let tabs = runtime.block_on(connect).expect("a browser");
        Some(Self { tabs, runtime, driver, axe: axe(), looked_at: BTreeSet::new(), complaints: Vec::new() })
    }

    pub(crate) fn opens(&self, address: &str) {
        // Only another fragment would not load the page anew.
        self.runtime.block_on(self.tabs.goto("about:blank")).expect("an empty page");
        self.runtime.block_on(self.tabs.goto(address)).expect("the page");
    }

    /// What a script returns.
    pub(crate) fn script(&self, script: &str) -> Value {
        self.runtime.block_on(self.tabs.execute(script, vec![])).unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// The element, if it is there.
    fn find(&self, selector: &str) -> Option<Element> {
        match self.runtime.block_on(self.tabs.find(Locator::Css(selector))) {
            Ok(element) => Some(element),
            Err(error) if error.is_no_such_element() => None,
            Err(error) => panic!("{selector}: {error}"),
        }
    }

    /// Waits until this is on the page.
    pub(crate) fn sees(&self, selector: &str) -> Element {
        let began = Instant::now();
        loop {
            if let Some(element) = self.find(selector) {
                return element;
            }
            assert!(began.elapsed() < PATIENCE, "no {selector} on the page:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// All text on the page.
    pub(crate) fn text(&self) -> String {
        self.script("return document.body.innerText").as_str().unwrap_or_default().to_owned()
    }

    /// Waits until these words are on the page, however they are broken.
    pub(crate) fn reads(&self, words: &str) {
        let began = Instant::now();
        let one_line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        while !one_line(self.text()).contains(words) {
            assert!(began.elapsed() < PATIENCE, "{words:?} is not on the page:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// Clicks as soon as that is possible. The page may draw the element anew meanwhile.
    pub(crate) fn clicks(&self, selector: &str) {
        let began = Instant::now();
        loop {
            let element = self.sees(selector);
            match self.runtime.block_on(element.click()) {
                Ok(()) => return,
                Err(error) => assert!(began.elapsed() < PATIENCE, "{selector}: {error}"),
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// Types into the element.
    pub(crate) fn types(&self, selector: &str, text: &str) {
        let element = self.sees(selector);
        self.runtime.block_on(element.send_keys(text)).expect("text");
    }

    /// The name of the card on the page, when it is another one than this number of times.
    pub(crate) fn card(&self) -> String {
        let shown = "return document.querySelector('[data-card]')?.dataset.card ?? ''";
        self.script(shown).as_str().unwrap_or_default().to_owned()
    }

    /// Waits for this card.
    pub(crate) fn is_at(&self, card: &str) {
        self.sees(&format!("[data-card='{card}']"));
    }

    /// Looks at the page for what would be in the way of somebody who cannot see or use a mouse, once for each card.
    pub(crate) fn looks(&mut self) {
        let (card, Some(axe)) = (self.card(), &self.axe) else { return };
        if self.looked_at.insert(card.clone()) {
            self.examines(&card, &axe.clone());
        }
    }

    fn examines(&mut self, card: &str, axe: &str) {
        self.script(&format!("if (!window.axe) {{ {axe} }}"));
        let run = "const done = arguments[arguments.length - 1]; axe.run().then(found => done(found.violations.map(v => \
                   `${v.id}: ${v.nodes.map(n => n.html).join(' ')}`)), error => done([String(error)]))";
        let found = self.runtime.block_on(self.tabs.execute_async(run, vec![])).expect("a result of axe");
        for violation in found.as_array().into_iter().flatten() {
            self.complaints.push(format!("{card}: {violation}"));
        }
        let width = "return [document.documentElement.scrollWidth, window.innerWidth]";
        let width = self.script(width);
        if width[0].as_f64() > width[1].as_f64() {
            self.complaints.push(format!("{card}: {width} is wider than the window"));
        }
    }

    /// The errors in the browser's console, without the requests that were refused: the page expects those.
    pub(crate) fn errors(&self) -> Vec<String> {
        let log = self.runtime.block_on(self.tabs.issue_cmd(Console)).expect("the console");
        let entries = log.as_array().into_iter().flatten();
        let is_refusal = |entry: &Value| entry["source"] == "network";
        entries
            .filter(|entry| entry["level"] == "SEVERE" && !is_refusal(entry))
            .map(|entry| entry["message"].to_string())
            .collect()
    }

    /// Nothing was wrong with what was seen, and nothing is in the console.
    pub(crate) fn leaves(mut self) {
        let complaints = std::mem::take(&mut self.complaints);
        let complaints: Vec<_> = complaints.into_iter().chain(self.errors()).collect();
        assert_eq!(complaints, [""; 0]);
    }

    /// Whether this is on the page now.
    pub(crate) fn has(&self, selector: &str) -> bool {
        self.find(selector).is_some()
    }

    /// Waits until another card is shown, or the same one in another way.
    pub(crate) fn leaves_card(&self, card: &str) {
        let began = Instant::now();
        while self.card() == card {
            assert!(began.elapsed() < PATIENCE, "still at {card}:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// Presses keys, wherever the focus is.
    pub(crate) fn presses(&self, keys: &str) {
        let element = self.runtime.block_on(self.tabs.active_element()).expect("the focus");
        for key in keys.chars() {
            let element = self.runtime.block_on(self.tabs.active_element()).unwrap_or_else(|_| element.clone());
            self.runtime.block_on(element.send_keys(&key.to_string())).expect("a key");
        }
    }

    /// Presses Tab until this has the focus.
    pub(crate) fn focuses(&self, selector: &str) {
        self.sees(selector);
        for _ in 0..60 {
            if self.script(&format!("return document.activeElement.matches({selector:?})")) == true {
                return;
            }
            self.presses("\u{e004}");
        }
        panic!("{selector} cannot be reached with Tab");
    }

    /// Drops a file onto the page.
    pub(crate) fn drops(&self, name: &str, bytes: &[u8]) {
        self.script(&format!(
            "const data = new DataTransfer(); data.items.add(new File([new Uint8Array({bytes:?})], {name:?})); \
             for (const type of ['dragenter', 'dragover', 'drop']) document.body.dispatchEvent(new DragEvent(type, {{ \
             dataTransfer: data, bubbles: true, cancelable: true }}));"
        ));
    }

    /// Looks at a page that is not a card.
    pub(crate) fn looks_at_page(&mut self, place: &str) {
        let Some(axe) = &self.axe else { return };
        self.examines(place, &axe.clone());
    }

    pub(crate) fn new_tab(&self) {
        let tab = self.runtime.block_on(self.tabs.new_window(true)).expect("a tab");
        self.runtime.block_on(self.tabs.switch_to_window(tab.handle)).expect("a tab");
    }

    /// Closes the present tab and goes to the other one.
    pub(crate) fn closes_tab(&self) {
        self.runtime.block_on(self.tabs.close_window()).expect("a closed tab");
        let tabs = self.runtime.block_on(self.tabs.windows()).expect("tabs");
        self.runtime.block_on(self.tabs.switch_to_window(tabs[0].clone())).expect("a tab");
    }

    /// The picture on the screen, as a PNG file.
    pub(crate) fn photographs(&self) -> Vec<u8> {
        self.runtime.block_on(self.tabs.screenshot()).expect("a picture")
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        let _ = self.runtime.block_on(self.tabs.clone().close());
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn connector() -> hyper_util::client::legacy::connect::HttpConnector {
    hyper_util::client::legacy::connect::HttpConnector::new()
}

/// The script of axe-core, which `.ci/run` fetches.
fn axe() -> Option<String> {
    let file = env::var_os("M365_DRV_AXE")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/axe-core/axe.min.js"), PathBuf::from);
    let script = fs::read_to_string(file).ok();
    if script.is_none() {
        eprintln!("skipped: axe-core is not here");
    }
    script
}
