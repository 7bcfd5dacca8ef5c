//! The little HTTP that measuring needs: requests to this machine over a kept connection.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use crate::Result;

const PATIENCE: Duration = Duration::from_secs(30);

/// One connection; requests follow each other.
pub(crate) struct Connection(BufReader<TcpStream>);

/// An answer.
pub(crate) struct Answer {
    /// Status code.
    pub(crate) status: u16,
    /// Lower-cased `Content-Encoding`, empty if there is none.
    pub(crate) encoding: String,
    /// The body, as it came.
    pub(crate) body: Vec<u8>,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// The network's.
    pub(crate) fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Gets a path; `headers` are whole lines, each with its line end.
    ///
    /// # Errors
    /// The network's, or an answer that cannot be read.
    pub(crate) fn get(&mut self, path: &str, headers: &str) -> Result<Answer> {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n").as_bytes())
    }

    /// Sends a whole request and reads its answer.
    ///
    /// # Errors
    /// The network's, or an answer that cannot be read: only bodies of announced length are.
    pub(crate) fn send(&mut self, request: &[u8]) -> Result<Answer> {
        self.0.get_mut().write_all(request)?;
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        let status = line
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .ok_or("no HTTP answer")?;
        let mut answer = Answer {
            status,
            encoding: String::new(),
            body: Vec::new(),
        };
        let mut length = 0;
        loop {
            line.clear();
            self.0.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse()?;
            } else if name.eq_ignore_ascii_case("content-encoding") {
                answer.encoding = value.trim().to_ascii_lowercase();
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                return Err("an answer of unannounced length".into());
            }
        }
        answer.body.resize(length, 0);
        self.0.read_exact(&mut answer.body)?;
        Ok(answer)
    }
}

/// Status and length of the answer that `bytes` begin with, `None` while it is not whole.
///
/// # Errors
/// Not an answer, or one of unannounced length.
pub(crate) fn whole(bytes: &[u8]) -> Result<Option<(u16, usize)>> {
    let Some(head_len) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = str::from_utf8(&bytes[..head_len])?;
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1)?.parse().ok())
        .ok_or("no HTTP answer")?;
    let body_len: usize = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .ok_or("an answer of unannounced length")?
        .1
        .trim()
        .parse()?;
    let len = head_len + 4 + body_len;
    Ok((bytes.len() >= len).then_some((status, len)))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn an_answer_is_whole_with_its_last_byte() {
        let bytes = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nab";
        for len in 0..bytes.len() {
            assert_eq!(whole(&bytes[..len]).unwrap(), None);
        }
        assert_eq!(whole(bytes).unwrap(), Some((201, bytes.len())));
        assert!(whole(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }

    #[test]
    fn reads_one_answer_after_the_other() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream
                .write_all(
                    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Encoding: BR\r\n\r\nabHTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
                )
                .unwrap();
            let mut request = [0; 64];
            let _ = stream.read(&mut request).unwrap();
        });
        let mut connection = Connection::open(address).unwrap();
        let first = connection.get("/", "").unwrap();
        assert_eq!(
            (first.status, first.encoding.as_str(), first.body.as_slice()),
            (200, "br", &b"ab"[..])
        );
        assert_eq!(connection.get("/", "").unwrap().status, 404);
        server.join().unwrap();
    }
}
