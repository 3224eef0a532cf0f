//! The guard of the page, against what a hostile page in the next tab or a program of another user could try.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use m365_drv::page::{Allowance, Desk, Feed, Reply, RunningPage, Server, Wish};

use super::{Browser, connect, send};

/// Notes what it is asked for, and does it.
#[derive(Clone, Default)]
struct Clerk(Arc<Mutex<Vec<Wish>>>);

impl Desk for Clerk {
    fn ask(&self, wish: Wish) -> Reply {
        self.0.lock().unwrap().push(wish);
        Reply::Done
    }
}

struct Shop {
    server: Server,
    clerk: Clerk,
    browser: Browser,
}

impl Shop {
    fn new() -> Self {
        Self::with(Allowance::default())
    }

    fn with(allowance: Allowance) -> Self {
        let clerk = Clerk::default();
        let server = Server::start(0, clerk.clone(), Feed::default(), allowance).unwrap();
        let browser = Browser::open(&server.ticket().unwrap());
        Self { server, clerk, browser }
    }

    fn port(&self) -> u16 {
        self.browser.port
    }

    /// The status of the answer to this request.
    fn status(&self, request: &str) -> u16 {
        send(self.port(), request.as_bytes()).status
    }

    fn wishes(&self) -> Vec<Wish> {
        self.clerk.0.lock().unwrap().clone()
    }
}

const BACK: &str = r#"{"number":1}"#;

/// A request to go back, with these headers and this cookie.
fn back(headers: &str) -> String {
    format!("POST /api/back HTTP/1.1\r\n{headers}Connection: close\r\nContent-Length: {}\r\n\r\n{BACK}", BACK.len())
}

#[test]
fn what_this_page_asks_is_done() {
    let shop = Shop::new();
    let (port, cookie) = (shop.port(), &shop.browser.cookie);
    for (host, more) in [
        (format!("127.0.0.1:{port}"), String::new()),
        (format!("localhost:{port}"), String::new()),
        (format!("127.0.0.1:{port}"), format!("Origin: http://127.0.0.1:{port}\r\nSec-Fetch-Site: same-origin\r\n")),
        (format!("localhost:{port}"), format!("Origin: http://localhost:{port}\r\n")),
    ] {
        let headers = format!("Host: {host}\r\nCookie: other=1; {cookie}\r\nX-M365-Drv: page\r\n{more}");
        assert_eq!(shop.status(&back(&headers)), 204, "{headers}");
    }
    assert_eq!(shop.wishes(), vec![Wish::Back { number: 1 }; 4]);
}

#[test]
fn a_request_for_another_host_or_from_another_origin_is_refused_and_does_nothing() {
    let shop = Shop::new();
    let (port, cookie) = (shop.port(), &shop.browser.cookie);
    let own = format!("Host: 127.0.0.1:{port}\r\n");
    let page = format!("Cookie: {cookie}\r\nX-M365-Drv: page\r\n");
    let attacks = [
        // A name that an attacker lets resolve to this computer (DNS rebinding).
        format!("Host: rebound.example:{port}\r\n{page}"),
        format!("Host: 127.0.0.1\r\n{page}"),
        format!("Host: 127.0.0.1:{}\r\n{page}", port.wrapping_add(1)),
        format!("Host: 127.0.0.1:{port}.rebound.example\r\n{page}"),
        format!("Host: 127.0.0.1:{port}\r\nHost: rebound.example\r\n{page}"),
        format!("Host: 0.0.0.0:{port}\r\n{page}"),
        page.clone(),
        // Pages of other origins.
        format!("{own}{page}Origin: http://evil.example\r\n"),
        format!("{own}{page}Origin: null\r\n"),
        format!("{own}{page}Origin: https://127.0.0.1:{port}\r\n"),
        format!("{own}{page}Origin: http://127.0.0.1:{}\r\n", port.wrapping_add(1)),
        format!("{own}{page}Origin: http://127.0.0.1:{port}\r\nOrigin: http://evil.example\r\n"),
        format!("{own}{page}Origin: http://localhost:{port}\r\n"),
        format!("{own}{page}Sec-Fetch-Site: cross-site\r\n"),
        format!("{own}{page}Sec-Fetch-Site: same-site\r\n"),
        // What a form can send.
        format!("{own}Cookie: {cookie}\r\n"),
        format!("{own}Cookie: {cookie}\r\nContent-Type: text/plain\r\nX-M365-Drv: other\r\n"),
        // No cookie, or another.
        format!("{own}X-M365-Drv: page\r\n"),
        format!("{own}X-M365-Drv: page\r\nCookie: m365-drv-{port}={}\r\n", "0".repeat(64)),
        format!("{own}X-M365-Drv: page\r\nCookie: m365-drv-{port}=\r\n"),
        format!("{own}X-M365-Drv: page\r\nCookie: m365-drv={}\r\n", cookie.split_once('=').unwrap().1),
    ];
    for headers in attacks {
        let status = shop.status(&back(&headers));
        // Without a host, or with two, HTTP itself is broken.
        assert!([400, 403].contains(&status), "{status}: {headers}");
    }
    assert_eq!(shop.wishes(), []);
}

#[test]
fn nothing_but_the_files_of_the_page_can_be_read_without_the_cookie() {
    let shop = Shop::new();
    let get = |path: &str, method: &str| {
        let host = format!("Host: 127.0.0.1:{}\r\nX-M365-Drv: page\r\nConnection: close\r\n", shop.port());
        shop.status(&format!("{method} {path} HTTP/1.1\r\n{host}\r\n"))
    };
    for path in ["/", "/page.css", "/main.js", "/words.js", "/icon.svg"] {
        assert_eq!(get(path, "GET"), 200, "{path}");
        assert_eq!(get(path, "POST"), 405, "{path}");
    }
    for path in
        ["/api/state", "/api/events", "/api/explain", "/api/backups", "/api/report", "/api/backup", "/api/batch"]
    {
        assert_eq!(get(path, "GET"), 403, "{path}");
    }
    for path in ["/api/doctor", "/api/answer", "/api/back", "/api/file?name=a", "/api/batch", "/api/batch/stop", "/api"]
    {
        assert_eq!(get(path, "POST"), 403, "{path}");
    }
    // The methods that ask whether another origin may call.
    assert!([403, 405].contains(&get("/api/back", "OPTIONS")));
    assert_eq!(shop.wishes(), []);
}

#[test]
fn the_secret_of_an_address_works_once() {
    let shop = Shop::new();
    let address = shop.server.ticket().unwrap();
    let (_, ticket) = address.split_once('#').unwrap();
    assert_eq!((ticket.len(), ticket.bytes().all(|digit| digit.is_ascii_hexdigit())), (64, true));
    let other = Browser { port: shop.port(), cookie: String::new() };
    for wrong in ["", "0", &"0".repeat(64), &ticket[1..], &ticket.to_uppercase().replace(char::is_numeric, "A")] {
        assert_eq!(other.post("/api/session", wrong.as_bytes()).status, 403, "{wrong}");
        assert_eq!(other.post("/api/open", wrong.as_bytes()).status, 403, "{wrong}");
    }
    assert_eq!(Browser::open(&address).get("/api/state").status, 200);
    assert_eq!(other.post("/api/session", ticket.as_bytes()).status, 403);
    // The first browser keeps its access.
    assert_eq!(shop.browser.get("/api/state").status, 200);
}

#[test]
fn every_answer_has_exactly_the_headers_that_keep_it_to_this_page() {
    let shop = Shop::new();
    let common = [
        "cache-control",
        "content-length",
        "content-security-policy",
        "cross-origin-opener-policy",
        "cross-origin-resource-policy",
        "date",
        "referrer-policy",
        "x-content-type-options",
        "x-frame-options",
    ];
    let page = shop.browser.get("/");
    let mut names: Vec<_> = common.into_iter().chain(["connection", "content-type"]).collect();
    names.sort_unstable();
    assert_eq!(page.names(), names);
    assert_eq!(
        page.header("content-security-policy"),
        Some(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'"
        )
    );
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let refused = send(shop.port(), b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
    assert_eq!(refused.status, 403);
    for name in common {
        assert_eq!(refused.header(name).is_some(), page.header(name).is_some(), "{name}");
    }
    assert_eq!(refused.body, "");
}

#[test]
fn a_path_leads_to_no_other_file() {
    let shop = Shop::new();
    for path in [
        "/../Cargo.toml",
        "/..%2f..%2fCargo.toml",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/assets/index.html",
        "/main.js/",
        "/index.html%00.css",
        "/C:%5CWindows%5Cwin.ini",
        "/page.rs",
        "/api/../main.js",
        "/api/nothing",
    ] {
        assert_eq!(shop.browser.get(path).status, 404, "{path}");
    }
    let named = shop.browser.post("/api/file?name=..%2F..%2Fa%5Cb%5Cevil.bin", b"bytes");
    assert_eq!(named.status, 204);
    assert_eq!(shop.wishes(), [Wish::File { name: "evil.bin".into(), bytes: b"bytes".into() }]);
    let absolute = format!("GET http://evil.example/ HTTP/1.1\r\n{}\r\n", shop.browser.headers());
    assert_eq!(shop.status(&absolute), 403);
}

#[test]
fn too_much_is_refused_whether_its_length_is_told_or_not() {
    let shop = Shop::with(Allowance { file_bytes: 1000, request_bytes: 100, ..Allowance::default() });
    let file = |bytes: usize| shop.browser.post("/api/file?name=a", &vec![0; bytes]).status;
    assert_eq!((file(1000), file(1001)), (204, 413));
    assert_eq!(shop.browser.post("/api/answer", &[b' '; 101]).status, 413);
    let began = Instant::now();
    let told =
        format!("POST /api/file?name=a HTTP/1.1\r\n{}Content-Length: 1073741824\r\n\r\n", shop.browser.headers());
    assert_eq!(shop.status(&told), 413);
    let chunk = format!("400\r\n{}\r\n", "x".repeat(1024));
    let untold = format!(
        "POST /api/file?name=a HTTP/1.1\r\n{}Transfer-Encoding: chunked\r\n\r\n{}",
        shop.browser.headers(),
        chunk.repeat(2)
    );
    assert_eq!(shop.status(&untold), 413);
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(shop.wishes().len(), 1);
    for junk in ["", "{", "[]", r#"{"number":-1}"#, r#"{"number":"1"}"#] {
        assert_eq!(shop.browser.post("/api/back", junk.as_bytes()).status, 400, "{junk}");
    }
    assert_eq!(shop.browser.post("/api/file", b"without a name").status, 400);
    assert_eq!(shop.wishes().len(), 1);
}

#[test]
fn who_sends_slowly_or_nothing_does_not_keep_others_out() {
    let shop = Shop::with(Allowance { arrival: Duration::from_millis(300), connections: 4, ..Allowance::default() });
    let mut slow: Vec<TcpStream> = (0..8).map(|_| connect(shop.port())).collect();
    for stream in &mut slow {
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: 127");
    }
    // They take all connections until their time is over.
    let began = Instant::now();
    assert_eq!(shop.browser.get("/api/state").status, 200);
    assert!(began.elapsed() < Duration::from_secs(5));
    let mut body = connect(shop.port());
    let head = format!("POST /api/back HTTP/1.1\r\n{}Content-Length: {}\r\n\r\n{{", shop.browser.headers(), BACK.len());
    body.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    body.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert_eq!(shop.wishes(), []);
}

#[test]
#[cfg(target_os = "linux")]
fn the_server_is_on_the_loopback_address_only() {
    let shop = Shop::new();
    // Every address of 127.0.0.0/8 is this computer, so a server on all addresses would answer on this one too.
    let other = SocketAddr::from(([127, 0, 0, 2], shop.port()));
    assert!(TcpStream::connect_timeout(&other, Duration::from_secs(2)).is_err());
}

#[test]
fn another_start_gets_an_address_of_its_own_with_the_key_in_the_file() {
    let shop = Shop::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state/page.json");
    let running = shop.server.running();
    running.announce(&file).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    let found = RunningPage::find(&file).unwrap();
    assert_eq!(found, running);
    assert_eq!(Browser::open(&found.ticket().unwrap()).get("/api/state").status, 200);
    drop(shop);
    assert_eq!(found.ticket(), None);
    running.withdraw(&file);
    assert_eq!(RunningPage::find(&file), None);
}
