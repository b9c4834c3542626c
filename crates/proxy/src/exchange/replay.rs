//! The request body as far as it was taken, kept for a repeat until it outgrows its bound or the answer begins.

/// What was taken from the client.
#[derive(Debug)]
pub(super) struct Replay {
    bytes: Vec<u8>,
    limit: usize,
    /// Whether everything that was taken is here.
    whole: bool,
}

impl Replay {
    /// Keeps at most `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit, whole: true }
    }

    /// Notes bytes that were taken from the client.
    pub(super) fn keep(&mut self, taken: &[u8]) {
        if !self.whole || taken.is_empty() {
            return;
        }
        if self.bytes.len() + taken.len() > self.limit {
            self.close();
        } else {
            self.bytes.extend_from_slice(taken);
        }
    }

    /// Lets go of what was kept: there will be no repeat.
    pub(super) fn close(&mut self) {
        self.whole = false;
        self.bytes = Vec::new();
    }

    /// Whether a repeat can send all that was taken.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// Whether nothing is kept.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What is kept.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_within_the_bound_is_kept_and_a_larger_one_is_let_go() {
        let mut replay = Replay::new(4);
        replay.keep(b"ab");
        replay.keep(b"cd");
        assert!(replay.is_whole());
        assert_eq!(replay.bytes(), b"abcd");
        replay.keep(b"e");
        assert!(!replay.is_whole() && replay.is_empty());
        replay.keep(b"");
        assert!(!replay.is_whole());
    }
}
