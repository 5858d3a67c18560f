//! A real headless Chromium, spoken to by W3C WebDriver (JSON over HTTP), and axe-core within it; it knows no page.
use std::{
    io::{BufRead, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use reqwest::{Client, Method};
use serde_json::{Value, json};

/// As deploy/prerequisites.sh installs it.
const AXE_VERSION: &str = "0.1.8";
/// Judges the page, and counts what it could not judge.
const AXE: &str = "const done = arguments[arguments.length - 1];
axe.run({ resultTypes: ['violations', 'incomplete'] }).then((found) => done({
    version: found.testEngine.version,
    violations: found.violations.map((rule) => [rule.id, rule.nodes.map((node) => node.html)]),
    incomplete: found.incomplete.map((rule) => [rule.id, rule.nodes.map((node) => node.html)]),
    passes: found.passes.length,
}), (error) => done({ error: String(error) }));";
/// For a step of one page.
const STEP: Duration = Duration::from_secs(60);

/// The rules of axe, where deploy/prerequisites.sh has put them.
pub(crate) fn axe() -> Option<String> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home)?;
    let file = cache.join(format!("causeway/axe-playwright-python-{AXE_VERSION}/axe.min.js"));
    std::fs::read_to_string(file).ok()
}

/// A browser with one window of a phone's width per page.
pub(crate) struct Browser {
    client: Client,
    session: String,
    driver: Child,
}

impl Browser {
    /// Starts one; none where Chromium or its driver are not installed.
    pub(crate) async fn start(width: u32, height: u32) -> Option<Self> {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let lines = BufReader::new(driver.stdout.take()?).lines().map_while(Result::ok);
        let port = lines.into_iter().find_map(|line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        })?;
        let client = services_runtime::tls::http_builder().timeout(STEP).build().unwrap();
        let metrics = json!({ "width": width, "height": height, "pixelRatio": 1, "touch": true });
        let asked = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            // The network's own CA signs its certificates.
            "acceptInsecureCerts": true,
            "goog:chromeOptions": {
                "mobileEmulation": { "deviceMetrics": metrics },
                "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                    "--disable-background-timer-throttling", "--disable-renderer-backgrounding",
                    "--disable-backgrounding-occluded-windows",
                    // Nothing but this machine is ever asked.
                    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost , EXCLUDE 127.0.0.1"],
            },
        } } });
        let mut browser =
            Self { client, session: format!("http://127.0.0.1:{port}/session"), driver };
        let made = browser.ask(Method::POST, "", &asked).await;
        browser.session += &format!("/{}", made["sessionId"].as_str().unwrap());
        browser.post("/timeouts", json!({ "script": 60_000, "pageLoad": 60_000 })).await;
        Some(browser)
    }

    async fn attempt(&self, method: Method, path: &str, body: &Value) -> Result<Value, String> {
        let request = self.client.request(method.clone(), format!("{}{path}", self.session));
        let request = if method == Method::POST { request.json(body) } else { request };
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        if answer["value"]["error"].is_null() {
            return Ok(answer["value"].clone());
        }
        Err(format!("{path}: {}: {}", answer["value"]["error"], answer["value"]["message"]))
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> Value {
        self.attempt(method, path, body).await.unwrap_or_else(|error| panic!("{error}"))
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.ask(Method::POST, path, &body).await
    }

    /// Opens an address in a window of its own, and gives its handle.
    pub(crate) async fn open(&self, url: &str) -> String {
        let made = self.post("/window/new", json!({ "type": "window" })).await;
        let handle = made["handle"].as_str().unwrap().to_owned();
        self.turn_to(&handle).await;
        self.post("/url", json!({ "url": url })).await;
        handle
    }

    /// Goes on in a window.
    pub(crate) async fn turn_to(&self, handle: &str) {
        self.post("/window", json!({ "handle": handle })).await;
    }

    /// What a script's body gives.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", json!({ "script": script, "args": [] })).await
    }

    /// Goes to an address in this window.
    pub(crate) async fn go(&self, url: &str) {
        self.post("/url", json!({ "url": url })).await;
    }

    async fn element(&self, css: &str) -> String {
        let asked = json!({ "using": "css selector", "value": css });
        let found = self.post("/element", asked).await;
        // The specification's own name of a reference to an element.
        found["element-6066-11e4-a52e-4f735466cecf"].as_str().unwrap().to_owned()
    }

    /// Clicks as a person does on what leads nowhere.
    pub(crate) async fn tick(&self, css: &str) {
        let element = self.element(css).await;
        self.post(&format!("/element/{element}/click"), json!({})).await;
    }

    /// Clicks as a person does, and waits for the whole page that follows.
    pub(crate) async fn click(&self, css: &str) {
        let page = "return [performance.timeOrigin, document.readyState];";
        let before = self.run(page).await;
        self.tick(css).await;
        let waited = async {
            let mut looks = tokio::time::interval(Duration::from_millis(20));
            loop {
                looks.tick().await;
                // Between two pages there is none to ask.
                let look = json!({ "script": page, "args": [] });
                let after = self.attempt(Method::POST, "/execute/sync", &look).await;
                if after.is_ok_and(|page| page[0] != before[0] && page[1] == "complete") {
                    return;
                }
            }
        };
        tokio::time::timeout(STEP, waited).await.expect("a page follows");
    }

    /// Writes into a field what a person would.
    pub(crate) async fn fill(&self, css: &str, text: &str) {
        let element = self.element(css).await;
        self.post(&format!("/element/{element}/clear"), json!({})).await;
        self.post(&format!("/element/{element}/value"), json!({ "text": text })).await;
    }

    /// What a part of the page says.
    pub(crate) async fn text(&self, css: &str) -> String {
        let element = self.element(css).await;
        let said = self.ask(Method::GET, &format!("/element/{element}/text"), &Value::Null).await;
        said.as_str().unwrap().to_owned()
    }

    /// Where this window is.
    pub(crate) async fn address(&self) -> String {
        self.ask(Method::GET, "/url", &Value::Null).await.as_str().unwrap().to_owned()
    }

    /// Forgets every cookie of the page's host.
    pub(crate) async fn forget(&self) {
        self.ask(Method::DELETE, "/cookie", &Value::Null).await;
    }

    /// Prefers light or dark from here on.
    pub(crate) async fn scheme(&self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        let command =
            json!({ "cmd": "Emulation.setEmulatedMedia", "params": { "features": features } });
        self.post("/goog/cdp/execute", command).await;
    }

    /// What axe finds in the page.
    pub(crate) async fn judge(&self, axe: &str) -> Value {
        self.post("/execute/sync", json!({ "script": axe, "args": [] })).await;
        self.post("/execute/async", json!({ "script": AXE, "args": [] })).await
    }

    /// A picture of the whole page, as PNG in base64.
    pub(crate) async fn picture(&self) -> String {
        let params = json!({ "captureBeyondViewport": true });
        let command = json!({ "cmd": "Page.captureScreenshot", "params": params });
        let taken = self.post("/goog/cdp/execute", command).await;
        taken["data"].as_str().unwrap().to_owned()
    }
}

impl Browser {
    /// Ends the session, and waits until the driver says that its browser is gone.
    fn quit(&self) -> std::io::Result<usize> {
        let session = self.session.trim_start_matches("http://");
        let (address, path) = session.split_once('/').unwrap_or((session, ""));
        let mut driver = TcpStream::connect(address)?;
        driver.set_read_timeout(Some(STEP))?;
        let asked =
            format!("DELETE /{path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        driver.write_all(asked.as_bytes())?;
        driver.read_to_end(&mut Vec::new())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // A driver that is only stopped may leave its browser behind.
        let _quit = self.quit();
        let id = i32::try_from(self.driver.id()).unwrap();
        let _gone =
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(id), nix::sys::signal::SIGTERM);
        let _ended = self.driver.wait();
    }
}
