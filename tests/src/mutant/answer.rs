//! How an answer is forwarded.

use super::request::write_chunk;
use super::{Pipe, Session, Sin, sin};
use nearside_http::chunked::{self, Decoder, Step};
use nearside_http::{Body, Edits, Known, Limits, Persist, Progress, RequestHead, ResponseHead, response};
use std::io::{self, Write};
use std::thread;

/// How many interim answers are forwarded.
const INTERIM: usize = 16;

impl Session {
    /// Forwards the answer, of a request of which `left` bytes have not been sent; a status if there is none.
    pub(super) fn answer(
        &mut self,
        mut upstream: Pipe,
        request: &RequestHead,
        left: u64,
    ) -> io::Result<Option<u16>> {
        let (mut head, mut interim) = (ResponseHead::new(), 0);
        loop {
            if !self.read_answer(&mut upstream, request, &mut head)? {
                return Ok(Some(502));
            }
            if head.status() == 101 && self.commits(Sin::AnySwitch) {
                return self.switch(upstream, &head);
            }
            interim += usize::from(head.is_interim());
            if head.status() == 101 || interim > INTERIM && !self.commits(Sin::AnyFlood) {
                return Ok(Some(502));
            }
            if !head.is_interim() {
                break;
            }
            self.write_head(&head, Body::None)?;
        }
        let whole = self.body(&mut upstream, &head)?;
        if !whole {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let early = left > 0 && !self.commits(Sin::ReusesAfterEarly);
        let quiet = upstream.bytes.is_empty() || self.commits(Sin::KeepsUnasked);
        if head.keep_alive() && !early && quiet {
            self.upstream = Some(upstream);
        }
        self.forget(left)?;
        Ok(None)
    }

    /// Reads the next head; whether there is a lawful one.
    fn read_answer(
        &mut self,
        upstream: &mut Pipe,
        request: &RequestHead,
        head: &mut ResponseHead,
    ) -> io::Result<bool> {
        let mut sinned = false;
        loop {
            if !sinned
                && let Some(sin) = self.sin
                && let Some(end) = sin::head_end(&upstream.bytes, false)
            {
                let raw = upstream.take(end);
                upstream.bytes.splice(..0, sin.on_answer(&raw));
                sinned = true;
            }
            match response::parse(&upstream.bytes, &Limits::default(), request.method(), head) {
                Ok(Progress::Complete { head_len }) => {
                    upstream.take(head_len);
                    return Ok(true);
                }
                Ok(Progress::Partial) if upstream.more()? > 0 => {}
                Ok(Progress::Partial) | Err(_) => return Ok(false),
            }
        }
    }

    fn write_head(&mut self, head: &ResponseHead, body: Body) -> io::Result<()> {
        let mut edits = Edits::new();
        if !head.is_interim() {
            edits.set(Known::XNearsideRef, b"0000000000000000");
            edits.set(Known::XNearsideGen, b"1-00000000");
        }
        let mut out = Vec::new();
        head.write(&edits, body, Persist::Keep, &mut out);
        self.client.stream.write_all(&out)
    }

    /// Forwards head and body; whether it is whole, or is made to look so.
    fn body(&mut self, upstream: &mut Pipe, head: &ResponseHead) -> io::Result<bool> {
        match head.body() {
            Body::None => self.write_head(head, Body::None).map(|()| true),
            Body::Length(length) => {
                self.write_head(head, Body::Length(length))?;
                self.length(upstream, usize::try_from(length).map_err(io::Error::other)?)
            }
            Body::Chunked | Body::UntilClose => {
                self.write_head(head, Body::Chunked)?;
                let mut decoder = (head.body() == Body::Chunked).then(Decoder::new);
                let whole = self.chunks(upstream, &mut decoder)? || self.commits(Sin::CutsLookWhole);
                if whole {
                    let mut end = Vec::new();
                    match &mut decoder {
                        Some(decoder) => {
                            decoder.strip_trailers(head.fields());
                            chunked::write_end(decoder.trailers(), &mut end);
                        }
                        None => end.extend_from_slice(chunked::LAST),
                    }
                    self.client.stream.write_all(&end)?;
                }
                Ok(whole)
            }
        }
    }

    fn length(&mut self, upstream: &mut Pipe, mut left: usize) -> io::Result<bool> {
        while left > 0 {
            if upstream.bytes.is_empty() && upstream.more()? == 0 {
                let padded = self.commits(Sin::CutsLookWhole);
                if padded {
                    self.client.stream.write_all(&vec![b' '; left])?;
                }
                return Ok(padded);
            }
            let piece = upstream.take(upstream.bytes.len().min(left));
            left -= piece.len();
            self.client.stream.write_all(&piece)?;
        }
        Ok(true)
    }

    /// Forwards chunks, or what comes until the end.
    fn chunks(&mut self, upstream: &mut Pipe, decoder: &mut Option<Decoder>) -> io::Result<bool> {
        loop {
            let step = match decoder {
                Some(decoder) => decoder.decode(&upstream.bytes),
                None if upstream.bytes.is_empty() => Ok(Step::More),
                None => Ok(Step::Data(0..upstream.bytes.len())),
            };
            match step {
                Ok(Step::Data(data)) => {
                    let piece = upstream.take(data.end);
                    write_chunk(&mut self.client.stream, &piece[data.start..])?;
                }
                Ok(Step::More) => {
                    upstream.bytes.clear();
                    if upstream.more()? == 0 {
                        return Ok(decoder.is_none());
                    }
                }
                Ok(Step::End(count)) => {
                    upstream.take(count);
                    return Ok(true);
                }
                Err(_) => return Ok(false),
            }
        }
    }

    /// Reads what is left of a request that was answered early, and forgets it.
    fn forget(&mut self, left: u64) -> io::Result<()> {
        let mut left = usize::try_from(left).map_err(io::Error::other)?;
        while left > 0 {
            let count = self.client.bytes.len().min(left);
            self.client.take(count);
            left -= count;
            if left > 0 && self.client.more()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    /// Makes a tunnel, whoever asked.
    fn switch(&mut self, upstream: Pipe, head: &ResponseHead) -> io::Result<Option<u16>> {
        self.write_head(head, Body::None)?;
        let Pipe { mut stream, bytes } = upstream;
        self.client.stream.write_all(&bytes)?;
        let (mut back, mut forth) = (stream.try_clone()?, self.client.stream.try_clone()?);
        thread::spawn(move || io::copy(&mut back, &mut forth));
        io::copy(&mut self.client.stream, &mut stream)?;
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}
