//! The machine: settings of its kernel that make every PoP on it slower than it has to be.

use std::fs;

/// A setting of the kernel.
struct Setting {
    /// Its name, as `sysctl` knows it.
    name: &'static str,
    /// The value that is slow.
    slow: &'static str,
    /// What that means, and what to do.
    advice: &'static str,
}

const SETTINGS: &[Setting] = &[Setting {
    name: "net.ipv4.tcp_slow_start_after_idle",
    slow: "1",
    advice: "net.ipv4.tcp_slow_start_after_idle is 1: connections that were idle for a moment send as slowly as new ones, \
             those with BBR apart; `sysctl -w net.ipv4.tcp_slow_start_after_idle=0` here and on the backends' machines",
}];

/// What an operator should change, with the remedy. Where the kernel does not tell, nothing.
pub(crate) fn advice() -> Vec<&'static str> {
    advice_by(|name| fs::read_to_string(format!("/proc/sys/{}", name.replace('.', "/"))).ok())
}

fn advice_by(read: impl Fn(&str) -> Option<String>) -> Vec<&'static str> {
    let slow = SETTINGS.iter().filter(|one| read(one.name).is_some_and(|value| value.trim() == one.slow));
    slow.map(|one| one.advice).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_setting_is_told_with_its_remedy_and_others_are_not() {
        let said = advice_by(|name| (name == "net.ipv4.tcp_slow_start_after_idle").then(|| "1\n".to_owned()));
        let [advice] = said.as_slice() else { panic!("{said:?}") };
        assert!(advice.contains("sysctl -w net.ipv4.tcp_slow_start_after_idle=0"), "{advice}");
        assert!(advice_by(|_| Some("0\n".to_owned())).is_empty());
        assert!(advice_by(|_| None).is_empty());
    }
}
