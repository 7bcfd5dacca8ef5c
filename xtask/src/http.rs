//! The little HTTP that measuring needs: requests to this machine over a kept connection.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use crate::Result;

/// How long to wait for an answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// One connection; requests follow each other.
pub(crate) struct Connection {
    stream: TcpStream,
    /// What has come of the present answer.
    come: Vec<u8>,
}

/// An answer.
pub(crate) struct Answer {
    /// Status code.
    pub(crate) status: u16,
    /// Lower-cased `Content-Encoding`, empty if there is none.
    pub(crate) encoding: String,
    /// The body, as it came.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The answer that `bytes` hold, `None` while it is not whole.
    ///
    /// # Errors
    /// Not an answer, or one of unannounced length.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>> {
        let Some(head_len) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = str::from_utf8(&bytes[..head_len])?;
        let value = |wanted: &str| {
            head.split("\r\n")
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
                .map(|(_, value)| value.trim())
        };
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .ok_or("no HTTP answer")?;
        let body_len: usize = value("content-length")
            .ok_or("an answer of unannounced length")?
            .parse()?;
        let body = bytes[head_len + 4..].get(..body_len);
        Ok(body.map(|body| Self {
            status,
            encoding: value("content-encoding").unwrap_or_default().to_ascii_lowercase(),
            body: body.to_vec(),
        }))
    }
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
        Ok(Self {
            stream,
            come: Vec::new(),
        })
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
    fn send(&mut self, request: &[u8]) -> Result<Answer> {
        self.come.clear();
        self.stream.write_all(request)?;
        let mut bytes = [0; 16_384];
        loop {
            match self.stream.read(&mut bytes)? {
                0 => return Err("the server has closed the connection".into()),
                len => self.come.extend_from_slice(&bytes[..len]),
            }
            if let Some(answer) = Answer::parse(&self.come)? {
                return Ok(answer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn an_answer_is_whole_with_its_last_byte() {
        let bytes = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nab";
        for len in 0..bytes.len() {
            assert!(Answer::parse(&bytes[..len]).unwrap().is_none());
        }
        let answer = Answer::parse(bytes).unwrap().unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (201, &b"ab"[..]));
        assert!(Answer::parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }

    #[test]
    fn reads_one_answer_after_the_other() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let answers = [
                &b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Encoding: BR\r\n\r\nab"[..],
                b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            ];
            for answer in answers {
                assert_ne!(stream.read(&mut [0; 256]).unwrap(), 0);
                stream.write_all(answer).unwrap();
            }
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
