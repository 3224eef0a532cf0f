//! The local page: what guards it, and the guided job as a browser goes through it.

mod browser;
mod guard;
mod job;
mod person;
mod tabs;

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

/// An answer of the server.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The names of all headers, in order of the alphabet.
    fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.head.lines().skip(1).filter_map(|line| Some(line.split_once(": ")?.0)).collect();
        names.sort_unstable();
        names
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// Sends these bytes and reads the answer to its end.
pub(crate) fn send(port: u16, request: &[u8]) -> Answer {
    let mut stream = connect(port);
    // The server may refuse before it has read everything.
    let _ = stream.write_all(request);
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

pub(crate) fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).expect("a server");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    stream
}

/// A browser that was given the address.
pub(crate) struct Browser {
    pub(crate) port: u16,
    cookie: String,
}

impl Browser {
    /// Opens the address with the secret in it.
    pub(crate) fn open(address: &str) -> Self {
        let (host, ticket) = address.trim_start_matches("http://").split_once("/#").expect("a secret");
        let port = host.split_once(':').and_then(|(_, port)| port.parse().ok()).expect("a port");
        let mut browser = Self { port, cookie: String::new() };
        let answer = browser.post("/api/session", ticket.as_bytes());
        assert_eq!(answer.status, 204, "{answer:?}");
        let cookie = answer.header("set-cookie").expect("a cookie");
        assert!(cookie.ends_with("; HttpOnly; SameSite=Strict; Path=/"), "{cookie}");
        cookie.split(';').next().unwrap_or_default().clone_into(&mut browser.cookie);
        browser
    }

    /// The headers that this browser sends.
    pub(crate) fn headers(&self) -> String {
        format!("Host: 127.0.0.1:{}\r\nCookie: {}\r\nX-M365-Drv: page\r\nConnection: close\r\n", self.port, self.cookie)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        send(self.port, format!("GET {path} HTTP/1.1\r\n{}\r\n", self.headers()).as_bytes())
    }

    pub(crate) fn post(&self, path: &str, body: &[u8]) -> Answer {
        let head = format!("POST {path} HTTP/1.1\r\n{}Content-Length: {}\r\n\r\n", self.headers(), body.len());
        send(self.port, &[head.as_bytes(), body].concat())
    }

    pub(crate) fn post_json(&self, path: &str, body: &Value) -> Answer {
        self.post(path, body.to_string().as_bytes())
    }
}
