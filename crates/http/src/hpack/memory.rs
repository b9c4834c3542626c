//! Memory: the fields that a peer has sent and may name again by a number (RFC 7541, 2.3.2).

use std::collections::VecDeque;

/// What each field counts besides its bytes (RFC 7541, 4.1).
pub(super) const OVERHEAD: usize = 32;

/// The latest fields, as many as fit.
#[derive(Debug)]
pub(super) struct Memory {
    /// Their bytes one behind the other, name before value; before the oldest lies what is forgotten.
    bytes: Vec<u8>,
    fields: VecDeque<Remembered>,
    size: usize,
    most: usize,
}

#[derive(Clone, Copy, Debug)]
struct Remembered {
    start: usize,
    name: usize,
    value: usize,
}

impl Remembered {
    fn size(self) -> usize {
        self.name + self.value + OVERHEAD
    }
}

impl Memory {
    /// An empty one, for fields of this size in all.
    pub(super) fn new(most: usize) -> Self {
        Self { bytes: Vec::new(), fields: VecDeque::new(), size: 0, most }
    }

    /// The field that came so many before the last one.
    pub(super) fn field(&self, before: usize) -> Option<(&[u8], &[u8])> {
        let at = self.fields.len().checked_sub(before + 1)?;
        let found = *self.fields.get(at)?;
        self.bytes.get(found.start..found.start + found.name + found.value)?.split_at_checked(found.name)
    }

    /// Takes another size, and forgets what does not fit any more.
    pub(super) fn resize(&mut self, most: usize) {
        self.most = most;
        self.forget(0);
    }

    /// Remembers a field. One that is larger than all that fits only makes the others forgotten.
    pub(super) fn remember(&mut self, name: &[u8], value: &[u8]) {
        let field = Remembered { start: 0, name: name.len(), value: value.len() };
        self.forget(field.size());
        if field.size() > self.most {
            return;
        }
        if self.bytes.len() + name.len() + value.len() > self.most {
            self.compact();
        }
        self.fields.push_back(Remembered { start: self.bytes.len(), ..field });
        self.size += field.size();
        self.bytes.extend_from_slice(name);
        self.bytes.extend_from_slice(value);
    }

    /// Forgets the oldest until there is so much room.
    fn forget(&mut self, room: usize) {
        while self.size + room > self.most
            && let Some(oldest) = self.fields.pop_front()
        {
            self.size -= oldest.size();
        }
    }

    /// Moves what is remembered to where what is forgotten lies. Each field counts more than its bytes, so that this does not
    /// happen with each that comes.
    fn compact(&mut self) {
        let start = self.fields.front().map_or(self.bytes.len(), |oldest| oldest.start);
        self.bytes.drain(..start);
        self.fields.iter_mut().for_each(|field| field.start -= start);
    }
}

#[cfg(test)]
mod tests {
    use super::{Memory, OVERHEAD};

    #[test]
    fn the_latest_that_fit_are_remembered() {
        let mut memory = Memory::new(200);
        for number in 0..1_000_u32 {
            memory.remember(format!("name-{number}").as_bytes(), number.to_string().as_bytes());
            let name = |before: u32| format!("name-{}", number - before).into_bytes();
            let size = |before: u32| OVERHEAD + name(before).len() + (number - before).to_string().len();
            let (mut sum, mut fit) = (0, 0);
            while fit <= number && sum + size(fit) <= 200 {
                sum += size(fit);
                fit += 1;
            }
            for before in 0..fit {
                let value = (number - before).to_string();
                assert_eq!(memory.field(before as usize), Some((&name(before)[..], value.as_bytes())));
            }
            assert_eq!((memory.field(fit as usize), memory.size), (None, sum));
            assert!(memory.bytes.len() <= 200 && memory.bytes.capacity() <= 512);
        }
        memory.resize(0);
        assert_eq!((memory.field(0), memory.size), (None, 0));
        memory.resize(200);
        memory.remember(b"a", b"b");
        memory.remember(b"c", &[b'd'; 168]);
        assert_eq!(memory.field(0), None, "what does not fit forgets all");
        memory.remember(b"c", &[b'd'; 167]);
        assert_eq!(memory.field(0), Some((&b"c"[..], &[b'd'; 167][..])));
    }
}
