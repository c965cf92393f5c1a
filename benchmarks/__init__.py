"""What is claimed of speed and quality, as commands: threads wait as oddwatch's own commands do."""

from monitor.waiting import let_waiting_threads_sleep

let_waiting_threads_sleep()  # before torch is imported
