//! A small HTTPS server with a certificate of its own, which answers as a test wants it to.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};

/// What the server does with a request.
#[derive(Clone)]
pub(super) struct Answer {
    head: String,
    body: Vec<u8>,
    then: Then,
}

#[derive(Clone, Copy, PartialEq)]
enum Then {
    Close,
    /// The connection ends without a farewell.
    Break,
    /// Nothing more is said, and the connection stays.
    Wait,
    /// The body begins again and again.
    Repeat,
    /// The same, after a pause each time.
    Drip,
}

impl Answer {
    fn new(status: u16, headers: &str, body: &[u8], then: Then) -> Self {
        let head = format!("HTTP/1.1 {status} Test\r\nConnection: close\r\n{headers}\r\n");
        Self { head, body: body.to_vec(), then }
    }

    pub(super) fn file(bytes: &[u8]) -> Self {
        Self::new(200, &format!("Content-Length: {}\r\n", bytes.len()), bytes, Then::Close)
    }

    pub(super) fn status(status: u16) -> Self {
        Self::new(status, "Content-Length: 0\r\n", b"", Then::Close)
    }

    pub(super) fn redirect(to: &str) -> Self {
        Self::new(302, &format!("Location: {to}\r\nContent-Length: 0\r\n"), b"", Then::Close)
    }

    /// The connection breaks after so many bytes.
    pub(super) fn cut(bytes: &[u8], after: usize) -> Self {
        Self::new(200, &format!("Content-Length: {}\r\n", bytes.len()), &bytes[..after], Then::Break)
    }

    /// A body without a stated length and without an end.
    pub(super) fn endless() -> Self {
        Self::new(200, "Transfer-Encoding: chunked\r\n", b"8\r\n01234567\r\n", Then::Repeat)
    }

    /// A file that comes byte by byte, forever.
    pub(super) fn drip() -> Self {
        Self::new(200, "Content-Length: 28\r\n", b"", Then::Drip)
    }

    pub(super) fn silence() -> Self {
        Self { head: String::new(), body: Vec::new(), then: Then::Wait }
    }
}

type Handler = dyn Fn(&str, usize) -> Answer + Send + Sync;

/// A server on this computer; it ends when it is dropped.
pub(super) struct Server {
    port: u16,
    certificate: Vec<u8>,
    requests: Arc<Mutex<Vec<String>>>,
    ends: Arc<AtomicBool>,
}

impl Server {
    /// Answers each request by its path and the number of requests before it.
    pub(super) fn new(answer: impl Fn(&str, usize) -> Answer + Send + Sync + 'static) -> Self {
        let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let certificate = key.cert.der().to_vec();
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions of TLS")
            .with_no_client_auth()
            .with_single_cert(vec![CertificateDer::from(certificate.clone())], private)
            .expect("its own certificate");
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let (requests, ends) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<AtomicBool>::default());
        let (seen, stop, answer): (_, _, Arc<Handler>) = (requests.clone(), ends.clone(), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let (config, seen, answer) = (config.clone(), seen.clone(), answer.clone());
                // Whoever does not trust the certificate goes away in the middle.
                thread::spawn(move || stream.and_then(|stream| serve(stream, config, &seen, &*answer)));
            }
        });
        Self { port, certificate, requests, ends }
    }

    pub(super) fn address(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// Its certificate, which vouches for itself.
    pub(super) fn certificate(&self) -> Vec<u8> {
        self.certificate.clone()
    }

    /// The paths that were asked for.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("the list").clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(stream: TcpStream, config: Arc<ServerConfig>, seen: &Mutex<Vec<String>>, answer: &Handler) -> io::Result<()> {
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    let mut first = String::new();
    stream.read_line(&mut first)?;
    let mut line = first.clone();
    while line.trim() != "" {
        line.clear();
        stream.read_line(&mut line)?;
    }
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let before = {
        let mut seen = seen.lock().expect("the list");
        seen.push(path.clone());
        seen.len() - 1
    };
    let Answer { head, body, then } = answer(&path, before);
    let stream = stream.get_mut();
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body)?;
    stream.flush()?;
    match then {
        Then::Close => {
            stream.conn.send_close_notify();
            stream.flush()
        }
        Then::Break => Ok(()),
        Then::Wait => {
            thread::sleep(Duration::from_secs(5));
            Ok(())
        }
        Then::Repeat => loop {
            stream.write_all(&body)?;
            stream.flush()?;
        },
        Then::Drip => loop {
            thread::sleep(Duration::from_millis(30));
            stream.write_all(b"x")?;
            stream.flush()?;
        },
    }
}
