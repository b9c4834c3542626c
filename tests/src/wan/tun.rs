//! A TUN device: whole IP packets, read and written as a file.

use rustix::ioctl::{self, Setter};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;

/// `TUNSETIFF` of linux/if_tun.h.
const SET_DEVICE: ioctl::Opcode = ioctl::opcode::write::<i32>(b'T', 202);
/// `IFF_TUN` and `IFF_NO_PI`: IP packets, and nothing before them.
const PLAIN: u16 = 0x0001 | 0x1000;

/// `struct ifreq` of linux/if.h, with flags in its union.
#[repr(C)]
struct Request {
    name: [u8; 16],
    flags: u16,
    unused: [u8; 22],
}

/// Makes a device of this name in the namespace of the calling thread; it is gone with the file.
///
/// # Errors
/// /dev/net/tun cannot be opened, or the rights are missing.
pub(super) fn open(name: &str) -> io::Result<File> {
    // A read does not wait for packets.
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
    let file = OpenOptions::new().read(true).write(true).custom_flags(nonblocking).open("/dev/net/tun")?;
    let mut request = Request { name: [0; 16], flags: PLAIN, unused: [0; 22] };
    // The last byte stays zero, as the kernel wants it.
    request.name.iter_mut().take(15).zip(name.bytes()).for_each(|(to, from)| *to = from);
    #[expect(unsafe_code, reason = "no system call of a safe interface makes a TUN device")]
    // SAFETY: `Request` is laid out as the `ifreq` that TUNSETIFF reads and writes, and outlives the call.
    unsafe {
        ioctl::ioctl(&file, Setter::<SET_DEVICE, Request>::new(request))?;
    }
    Ok(file)
}
