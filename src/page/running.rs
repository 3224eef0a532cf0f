//! A server that runs already, and how another start of this program finds it.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::Path,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::durable::folder_of;

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// A server that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningPage {
    pub(super) port: u16,
    /// What it asks for.
    pub(super) key: String,
}

impl RunningPage {
    /// Says in this file, which nobody else can read, where the server is.
    pub fn announce(&self, file: &Path) -> io::Result<()> {
        let folder = folder_of(file);
        fs::create_dir_all(folder)?;
        let mut new = NamedTempFile::new_in(folder)?;
        new.write_all(&serde_json::to_vec(self)?)?;
        new.persist(file)?;
        Ok(())
    }

    /// What such a file says.
    pub fn find(file: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(file).ok()?).ok()
    }

    /// Takes the file away, if it is still about this server.
    pub fn withdraw(&self, file: &Path) {
        if Self::find(file).as_ref() == Some(self) {
            let _ = fs::remove_file(file);
        }
    }

    /// An address that gives access once, if the server still runs.
    pub fn ticket(&self) -> Option<String> {
        let host = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let mut stream = TcpStream::connect_timeout(&host, PATIENCE).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let (key, len) = (&self.key, self.key.len());
        let request = format!(
            "POST /api/open HTTP/1.1\r\nHost: {host}\r\nX-M365-Drv: page\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n{key}"
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, ticket) = answer.split_once("\r\n\r\n")?;
        let is_ticket = ticket.len() == 64 && ticket.bytes().all(|digit| digit.is_ascii_hexdigit());
        (head.starts_with("HTTP/1.1 200 ") && is_ticket).then(|| format!("http://{host}/#{ticket}"))
    }
}
