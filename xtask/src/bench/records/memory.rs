//! How much memory a process has, as Linux tells.

use crate::Result;

/// Resident memory of a process, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Memory {
    /// Now.
    pub(super) now: u64,
    /// The most so far.
    pub(super) peak: u64,
}

impl Memory {
    /// Of the process with this id.
    ///
    /// # Errors
    /// There is none, or no `/proc`.
    pub(super) fn of(process: u32) -> Result<Self> {
        let path = format!("/proc/{process}/status");
        let status = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        Self::read(&status).ok_or_else(|| format!("{path} names no memory").into())
    }

    /// Reads `/proc/PID/status`.
    fn read(status: &str) -> Option<Self> {
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
            Some(kib * 1_024)
        };
        Some(Self {
            now: bytes("VmRSS:")?,
            peak: bytes("VmHWM:")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_linux_says() {
        let status =
            "Name:\tassent\nVmPeak:\t  300000 kB\nVmHWM:\t   53248 kB\nVmRSS:\t   13312 kB\nThreads:\t4\n";
        assert_eq!(
            Memory::read(status),
            Some(Memory {
                now: 13 << 20,
                peak: 52 << 20,
            })
        );
        assert_eq!(Memory::read("Name:\tkthreadd\n"), None);
    }
}
