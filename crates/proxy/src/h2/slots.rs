//! Slots: what a connection knows of each of its streams, and which numbers were streams once.

use crate::h2::outbox::Mark;
use crate::h2::window::Window;
use nearside_http::{Fields, Refusal};
use std::collections::VecDeque;
use std::task::{Context, Waker};

/// How many streams that we have reset are remembered: what the client had sent before it knew is no fault.
const FORGIVEN: usize = 256;

/// Room for streams that a connection without any keeps.
const KEPT: usize = 4;

/// How far the answer has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Answer {
    /// Its final head was not written.
    Awaited,
    /// It was, and more follows.
    Begun,
    /// Its last frame was written.
    Whole,
}

/// Why a stream has ended before both sides had said all.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Over {
    /// The client has reset it, or the connection has ended.
    Gone,
    /// We have reset it, since the client broke the rules.
    Malformed(Refusal),
    /// We have reset it.
    Reset,
}

/// One stream.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) id: u32,
    /// The stream's task, where it waits.
    waker: Option<Waker>,
    /// What has come of the body and was not fetched.
    pub(super) inbox: Vec<u8>,
    pub(super) window: Window,
    /// How much of the body is still to come, where its head says so.
    pub(super) due: Option<u64>,
    /// Whether the client's last frame has come.
    pub(super) ended: bool,
    pub(super) trailers: Option<Box<Fields>>,
    /// What is wrong with the trailers, where the stream goes on in spite of it.
    pub(super) refused: Option<Refusal>,
    /// How much the client takes yet.
    pub(super) room: i64,
    pub(super) answer: Answer,
    /// Where the last piece of the answer's body begins.
    pub(super) piece: Option<Mark>,
    pub(super) over: Option<Over>,
    /// Whether it stands in the queue, and for how many bytes.
    pub(super) queued: Option<usize>,
    /// Whether it was called out of the queue and has not written its piece.
    pub(super) called: bool,
    /// Whether somebody holds it.
    held: bool,
}

impl Slot {
    fn new(id: u32, window: u32, room: i64) -> Self {
        Self {
            id,
            waker: None,
            inbox: Vec::new(),
            window: Window::new(window),
            due: None,
            ended: false,
            trailers: None,
            refused: None,
            room,
            answer: Answer::Awaited,
            piece: None,
            over: None,
            queued: None,
            called: false,
            held: true,
        }
    }

    /// Notes that its task waits.
    pub(super) fn wait(&mut self, cx: &Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => self.waker = Some(cx.waker().clone()),
        }
    }

    /// Wakes its task.
    pub(super) fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Whether both sides have said all, or one of them has cut it.
    pub(super) fn is_closed(&self) -> bool {
        self.over.is_some() || self.ended && self.answer == Answer::Whole
    }
}

/// What a number stands for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Known {
    /// The stream in this slot.
    Open(usize),
    /// No stream yet, or never one.
    Idle,
    /// A stream that we have reset or not looked at.
    Forgiven,
    /// A stream that has ended.
    Closed,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    free: Vec<usize>,
    /// The open ones by their numbers, in order.
    open: Vec<(u32, usize)>,
    forgiven: VecDeque<u32>,
    /// The last number that the client has used.
    last: u32,
    /// The last stream that was looked at.
    taken: u32,
    /// How many are held.
    held: usize,
}

impl Slots {
    pub(super) fn get(&mut self, at: usize) -> Option<&mut Slot> {
        self.slots.get_mut(at)
    }

    /// What this number stands for.
    pub(super) fn find(&self, id: u32) -> Known {
        if id > self.last || id.is_multiple_of(2) {
            return Known::Idle;
        }
        match self.open.binary_search_by_key(&id, |(id, _)| *id) {
            Ok(found) => self.open.get(found).map_or(Known::Closed, |(_, at)| Known::Open(*at)),
            Err(_) if id > self.taken || self.forgiven.contains(&id) => Known::Forgiven,
            Err(_) => Known::Closed,
        }
    }

    /// How many are open.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// How many are held.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// The last stream that was looked at.
    pub(super) fn taken(&self) -> u32 {
        self.taken
    }

    /// Notes that the client has used this number.
    pub(super) fn pass(&mut self, id: u32) {
        self.last = self.last.max(id);
    }

    /// Notes that a stream of this number was looked at and is not served.
    pub(super) fn refuse(&mut self, id: u32) {
        self.taken = self.taken.max(id);
        self.forgive(id);
    }

    /// A new stream, which is held from now on.
    pub(super) fn begin(&mut self, id: u32, window: u32, room: i64) -> usize {
        self.taken = self.taken.max(id);
        self.held += 1;
        let slot = Slot::new(id, window, room);
        let at = self.free.pop().unwrap_or(self.slots.len());
        match self.slots.get_mut(at) {
            Some(free) => *free = slot,
            None => self.slots.push(slot),
        }
        self.open.push((id, at));
        at
    }

    /// Notes that the stream has ended; `forgives` says whether what still comes for it is no fault.
    pub(super) fn close(&mut self, at: usize, forgives: bool) {
        let Some(id) = self.slots.get(at).map(|slot| slot.id) else { return };
        if let Ok(found) = self.open.binary_search_by_key(&id, |(id, _)| *id) {
            self.open.remove(found);
            if forgives {
                self.forgive(id);
            }
        }
    }

    fn forgive(&mut self, id: u32) {
        if self.forgiven.len() >= FORGIVEN {
            self.forgiven.pop_front();
        }
        self.forgiven.push_back(id);
    }

    /// Lets go of a stream that has ended.
    pub(super) fn release(&mut self, at: usize) {
        if let Some(slot) = self.slots.get_mut(at).filter(|slot| slot.held) {
            slot.held = false;
            slot.waker = None;
            self.held -= 1;
            self.free.push(at);
        }
    }

    /// Lets go of room that nobody needs.
    pub(super) fn rest(&mut self) {
        if self.held == 0 && self.slots.capacity() > KEPT {
            (self.slots, self.free, self.open) = (Vec::new(), Vec::new(), Vec::new());
        }
    }

    /// Those that are open.
    pub(super) fn each_open(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.slots.iter_mut().filter(|slot| slot.held && !slot.is_closed())
    }
}

#[cfg(test)]
mod tests {
    use super::{FORGIVEN, Known, Slots};

    #[test]
    fn a_number_stands_for_what_became_of_it() {
        let mut slots = Slots::default();
        assert_eq!((slots.find(1), slots.find(2)), (Known::Idle, Known::Idle));
        for id in [1, 5, 7, 9] {
            slots.pass(id);
            slots.begin(id, 0, 0);
        }
        assert_eq!(
            (slots.find(5), slots.find(3), slots.find(6)),
            (Known::Open(1), Known::Closed, Known::Idle)
        );
        slots.close(1, false);
        slots.close(2, true);
        slots.release(2);
        assert_eq!(
            (slots.find(5), slots.find(7), slots.find(9)),
            (Known::Closed, Known::Forgiven, Known::Open(3))
        );
        assert_eq!((slots.find(11), slots.open(), slots.held()), (Known::Idle, 2, 3));
        slots.pass(11);
        assert_eq!((slots.find(11), slots.taken()), (Known::Forgiven, 9), "not looked at");
        slots.pass(13);
        assert_eq!(slots.begin(13, 0, 0), 2, "a slot is used again");
        slots.refuse(13);
        for id in (15..).step_by(2).take(FORGIVEN) {
            slots.pass(id);
            slots.refuse(id);
        }
        assert_eq!(slots.find(7), Known::Closed, "it was long ago");
    }
}
