//! Window: how much a client may still send, of a stream or of the connection.

/// A window that is opened again as what came through it is taken.
#[derive(Debug)]
pub(super) struct Window {
    /// What may still come.
    left: u32,
    /// What was taken and not said yet.
    taken: u32,
}

impl Window {
    /// One of this width.
    pub(super) fn new(left: u32) -> Self {
        Self { left, taken: 0 }
    }

    /// Notes what came; whether it may have.
    pub(super) fn pass(&mut self, count: u32) -> bool {
        let within = count <= self.left;
        self.left = self.left.saturating_sub(count);
        within
    }

    /// Notes what was taken. By how much the window is to be opened, once that is half of what it is open yet.
    pub(super) fn take(&mut self, count: u32) -> Option<u32> {
        self.taken += count;
        if self.taken == 0 || self.taken < self.left / 2 {
            return None;
        }
        self.left += self.taken;
        Some(std::mem::take(&mut self.taken))
    }
}

#[cfg(test)]
mod tests {
    use super::Window;

    #[test]
    fn a_window_opens_again_by_what_was_taken_and_not_for_each_byte() {
        let mut window = Window::new(100);
        assert!(window.pass(10) && window.take(10).is_none());
        assert!(window.pass(80) && !Window::new(0).pass(1));
        assert_eq!(window.take(20), Some(30));
        assert_eq!((window.left, window.take(0)), (40, None));
        assert!(window.pass(40) && !window.pass(1));
        assert_eq!(window.take(60), Some(60));
    }
}
