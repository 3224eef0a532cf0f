//! One GET over HTTPS, with limits on time and size. Whatever arrives, the caller checks it.

use std::{io, sync::Arc, time::Duration};

use ureq::{
    Agent, Timeout,
    tls::{RootCerts, TlsConfig},
};

use crate::count::count;

/// How long is waited, and how often something is tried.
#[derive(Debug, Clone)]
pub struct Limits {
    /// For a connection, encryption included.
    pub connect: Duration,
    /// For the beginning of an answer, and then between two parts of it.
    pub silence: Duration,
    /// For the whole of one file.
    pub whole: Duration,
    /// What is waited before each further try of the files that failed.
    pub pauses: Vec<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            connect: seconds(10),
            silence: seconds(10),
            whole: seconds(30),
            pauses: vec![Duration::from_millis(500), seconds(2)],
        }
    }
}

/// Why a file did not arrive, or is not used.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The server answers with an error.
    #[error("the server answered with HTTP status {0}")]
    Status(u16),
    /// The host's name leads to no address.
    #[error("no address was found for the name of the server (is this computer online?)")]
    UnknownHost,
    /// There is no connection, or it broke.
    #[error("no connection to the server")]
    Connection(#[source] io::Error),
    /// The proxy does not connect.
    #[error("the proxy does not connect to the server: {0}")]
    Proxy(String),
    /// The server said nothing for too long.
    #[error("the server did not answer in time")]
    TimedOut,
    /// The certificate of the server is not trusted, or it speaks no TLS.
    #[error("the connection is not secure: {0}")]
    Tls(String),
    /// The file of certificates that the user names cannot be used.
    #[error("the certificates in SSL_CERT_FILE cannot be read: {0}")]
    Certificates(String),
    /// It redirects to an address without https.
    #[error("the server redirects to an address without https")]
    InsecureRedirect,
    /// The answer is longer than the file.
    #[error("the file is longer than {}", count(*.0, "byte"))]
    TooLong(usize),
    /// The answer ended before the file did.
    #[error("the file ended after {got} of {expected} bytes")]
    Cut {
        /// Bytes that arrived.
        got: usize,
        /// Bytes that it should have.
        expected: usize,
    },
    /// The file holds something else.
    #[error("the file does not contain this image")]
    OtherContent,
    /// The folder does not have the file.
    #[error("there is no such file")]
    NoFile,
    /// A file of the folder cannot be read.
    #[error("the file cannot be read")]
    Read(#[source] io::Error),
    /// Something else.
    #[error("the request failed: {0}")]
    Other(String),
}

impl Cause {
    /// Whether the same request may succeed a moment later.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            // Too many requests, or trouble inside the server.
            Self::Status(status) => *status == 429 || (500..600).contains(status),
            Self::Connection(_) | Self::TimedOut | Self::Cut { .. } => true,
            _ => false,
        }
    }

    /// Whether every other file of this server fails in the same way.
    pub(super) fn is_of_server(&self) -> bool {
        let is_of_tls = matches!(self, Self::Tls(_) | Self::Certificates(_));
        is_of_tls || matches!(self, Self::UnknownHost | Self::Connection(_) | Self::Proxy(_) | Self::TimedOut)
    }
}

/// Fetches files over HTTPS. Proxies are those of the environment variables (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`) and on
/// Windows those of the system.
pub(super) struct Client(Agent);

impl Client {
    /// Trusts the certificates of [`roots`].
    pub(super) fn new(limits: &Limits) -> Result<Self, String> {
        roots().map(|roots| Self::trusting(limits, roots))
    }

    pub(super) fn trusting(limits: &Limits, roots: RootCerts) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder().root_certs(roots).unversioned_rustls_crypto_provider(provider).build();
        let config = Agent::config_builder()
            .https_only(true)
            .tls_config(tls)
            .user_agent(concat!("m365-drv/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .max_redirects(5)
            .timeout_connect(Some(limits.connect))
            .timeout_recv_response(Some(limits.silence))
            .timeout_per_read(Some(limits.silence))
            .timeout_global(Some(limits.whole))
            .build();
        Self(config.into())
    }

    /// The file at an address, which is `size` bytes long.
    pub(super) fn get(&self, address: &str, size: usize) -> Result<Vec<u8>, Cause> {
        let mut response = self.0.get(address).call().map_err(cause)?;
        let status = response.status();
        if !status.is_success() {
            return Err(Cause::Status(status.as_u16()));
        }
        let body = response.body_mut();
        if body.content_length().is_some_and(|length| length > size as u64) {
            return Err(Cause::TooLong(size));
        }
        // The limit is an error if a byte more than it arrives.
        let bytes = body.with_config().limit(size as u64).read_to_vec().map_err(cause)?;
        if bytes.len() < size {
            return Err(Cause::Cut { got: bytes.len(), expected: size });
        }
        Ok(bytes)
    }
}

fn cause(error: ureq::Error) -> Cause {
    use ureq::Error as E;
    match error {
        E::StatusCode(status) => Cause::Status(status),
        E::HostNotFound | E::Timeout(Timeout::Resolve) => Cause::UnknownHost,
        E::Timeout(_) => Cause::TimedOut,
        E::ConnectProxyFailed(why) => Cause::Proxy(why),
        E::InvalidProxyUrl => Cause::Proxy("the address of the proxy is invalid".to_owned()),
        E::RequireHttpsOnly(_) => Cause::InsecureRedirect,
        E::Rustls(error) => Cause::Tls(error.to_string()),
        E::Tls(what) => Cause::Tls(what.to_owned()),
        E::BodyExceedsLimit(limit) => Cause::TooLong(limit as usize),
        E::ConnectionFailed => Cause::Connection(io::ErrorKind::NotConnected.into()),
        E::Io(error) => of_io(error),
        other => Cause::Other(other.to_string()),
    }
}

/// Errors of TLS arrive wrapped.
fn of_io(error: io::Error) -> Cause {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).map(ToString::to_string);
    match (tls, error.kind()) {
        (Some(tls), _) => Cause::Tls(tls),
        (None, _) if is_of_names(&error) => Cause::UnknownHost,
        (None, io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) => Cause::TimedOut,
        (None, _) => Cause::Connection(error),
    }
}

/// The standard library gives this one no kind. On Windows it has the numbers of `WSAHOST_NOT_FOUND`, `WSATRY_AGAIN` and
/// `WSANO_DATA`.
fn is_of_names(error: &io::Error) -> bool {
    let words = error.to_string();
    words.starts_with("failed to lookup address information")
        || cfg!(windows) && matches!(error.raw_os_error(), Some(11001 | 11002 | 11004))
}

/// Windows and macOS have certificates of their own, which their owner manages.
#[cfg(any(windows, target_os = "macos"))]
#[expect(clippy::unnecessary_wraps, reason = "reading a file of certificates may fail on other systems")]
fn roots() -> Result<RootCerts, String> {
    Ok(RootCerts::PlatformVerifier)
}

/// Mozilla's certificates, and those of the file that `SSL_CERT_FILE` names.
#[cfg(not(any(windows, target_os = "macos")))]
fn roots() -> Result<RootCerts, String> {
    use ureq::tls::{Certificate, PemItem, parse_pem};

    let mozilla = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().map(|root| Certificate::from_der(root));
    let mut roots: Vec<Certificate<'static>> = mozilla.collect();
    if let Some(path) = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()) {
        let pem = std::fs::read(path).map_err(|error| error.to_string())?;
        for item in parse_pem(&pem) {
            if let PemItem::Certificate(root) = item.map_err(|error| error.to_string())? {
                roots.push(root);
            }
        }
    }
    Ok(RootCerts::from(roots))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_an_address_and_a_connection_that_breaks_are_told_apart() {
        let unknown = io::Error::other("failed to lookup address information: Name or service not known");
        assert!(matches!(of_io(unknown), Cause::UnknownHost));
        assert!(matches!(of_io(io::ErrorKind::ConnectionReset.into()), Cause::Connection(_)));
        assert!(matches!(of_io(io::ErrorKind::TimedOut.into()), Cause::TimedOut));
    }
}
