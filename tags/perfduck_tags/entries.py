"""Where kernel work begins, and where none is: softirq loops, interrupts, system calls, idle.

    handle_softirqs              the softirq loop since 6.10
    __do_softirq                 before
    __softirqentry_text_start    the section that begins with __do_softirq in 4.8 to 6.9: of two
                                 names at one address perf prints the longer one

One list for whoever walks stacks: tags, the blame of a sample, the stacks that `diff` cuts.
Patterns match whole names; they are of Rust's regex crate and of `re`.
"""


def _any_of(*patterns: str) -> str:
    """A pattern for what any of these matches. Names of the kernel are ASCII: \\w and \\d of all of
    Unicode make the regex crate compile these lists for 15 ms in place of 2."""
    return "|".join(patterns).replace(r"\w", "[0-9A-Za-z_]").replace(r"\d", "[0-9]")


SOFTIRQ_LOOPS = ("handle_softirqs", "__do_softirq", "__softirqentry_text_start")

INTERRUPTS = _any_of(
    # x86: sysvec_* since 5.8, smp_*_interrupt and do_IRQ before
    r"(?:asm_|__)?(?:sysvec_\w+|common_interrupt|spurious_interrupt|exc_nmi)",
    r"asm_call_(?:sysvec_|irq_)?on_stack|(?:end_repeat_)?nmi",
    r"smp_\w+_interrupt|do_IRQ|do_nmi|__irqentry_text_start|ret_from_intr",
    r"retint_\w+|restore_(?:c_)?regs_and_iret",
    r"(?:apic_timer|reschedule|call_function(?:_single)?|irq_work)_interrupt",
    # guests of Xen and Hyper-V
    r"(?:__)?xen_(?:pv_|hvm_)?evtchn_do_upcall|xen_(?:do_)?hypervisor_callback",
    r"xen_hvm_callback_vector|(?:asm_)?exc_xen_hypervisor_callback",
    r"(?:hyperv|hv_stimer0|hyperv_reenlightenment)_(?:callback_vector|vector_handler|vector|intr)",
    # arm64: el1h_64_irq_handler since 5.12, el1_irq before
    r"el[01][ht]?_(?:64_|32_)?(?:irq|fiq)\w*|__?el[01]_(?:irq|fiq)|el[01]_interrupt",
    r"gic_handle_irq|do_interrupt_handler|call_on_irq_stack|(?:generic_|__)?handle_domain_irq",
    # arm, riscv, s390, powerpc
    r"__irq_(?:svc|usr)|asm_do_IRQ|generic_handle_arch_irq",
    r"do_irq|handle_riscv_irq|riscv_intc_irq|riscv_intc_aia_irq|plic_handle_irq",
    r"imsic_handle_irq|aplic_direct_handle_irq",
    r"do_(?:io|ext)_irq|(?:io|ext|mcck)_int_handler",
    r"__do_irq|call_do_irq|timer_interrupt|(?:hardware_interrupt|decrementer)_common\w*",
)

SYSTEM_CALLS = _any_of(
    r"entry_SYSCALL_(?:64|compat)\w*|entry_SYSENTER\w*|entry_INT80\w*|__entry_text_start",
    r"do_syscall_(?:64|x64)|do_int80_(?:syscall_32|emulation)|do_fast_syscall_32",
    r"system_call_(?:fastpath|after_swapgs)|sysenter_dispatch|tracesys\w*",  # x86 up to 4.0
    r"(?:int_)?ret_from_sys_call\w*|syscall_return_via_sysret|opportunistic_sysret_failed",
    r"(?:do_)?el0_svc\w*|invoke_syscall|el0t?_(?:64_|32_)?sync\w*",  # arm64
    r"ret_to_user|work_pending",
    r"vector_swi|ret_fast_syscall|__sys_trace\w*",  # arm
    r"do_trap_ecall_u|handle_syscall|ret_from_syscall|resume_userspace",  # riscv
    r"system_call|__do_syscall|sysc_\w+",  # s390
    r"system_call_(?:exception|common|vectored_common)\w*|syscall_exit_prepare",  # powerpc
)

# Idle loops lie in arch/, kernel/sched and drivers/.
IDLE = _any_of(
    r"(?:pv_native|native|acpi|xen|kvm|tdx)_safe_halt\w*|default_(?:enter_)?idle\w*",
    r"(?:amd_e400|hv)_idle|intel_idle\w*|acpi_(?:idle|processor_ffh)_\w+|cpuidle_\w+",
    r"arch_cpu_idle\w*|do_idle\w*|cpu_startup_entry|cpu_idle_poll|call_cpuidle\w*",
    r"mwait_idle\w*|poll_idle\w*|haltpoll_\w+|(?:ct|tick_nohz)_idle_\w+|tick_nohz_restart\w*",
    r"__cpuidle_text_start|cpu_idle(?:_loop)?",
    r"cpu_do_idle|cpu_\w+_do_idle|arm_cpuidle_\w+|wait_for_interrupt",  # arm, arm64, riscv
    # deeper: firmware turns the core off, by PSCI on arm and arm64, by SBI on riscv
    r"_*psci_(?:\w+_)?(?:suspend|idle_state)\w*|_*invoke_psci_fn_\w+|_*cpu_suspend(?:_enter)?",
    r"(?:__|riscv_)?sbi_(?:\w+_)?(?:suspend|idle_state)\w*|sbi_cpuidle_\w+",
    # drivers/cpuidle, of the machines that have a way of their own
    r"(?:arm|spm|omap\w*|mvebu_\w+|kirkwood|zynq|at91|ux500|mips_\w+)_enter_\w*idle\w*",
    r"imx\w+_enter_wait|\w+_cpuidle_(?:\w+_)?enter|exynos_enter_(?:lowpower|aftr)",
    r"bl_(?:enter_powerdown|powerdown_finisher)",
    r"enabled_wait|psw_idle\w*",  # s390
    r"(?:snooze|stop|nap|fastsleep)_loop|(?:shared|dedicated)_cede_loop",
    r"(?:check_and_|extended_)?cede_processor|pseries_lpar_idle|idle_return_gpr_loss",
    r"(?:power|arch|isa)\d+_idle\w*|(?:ppc\w+|e\d+|book3e)_idle|cbe_power_save",  # powerpc
    r"_*(?:r4k|rm7k|au1k)_wait\w*|mips_cpuidle_\w+|__arch_cpu_idle",  # mips, loongarch
)

# What a name says by itself: a pattern, and area, subsystem and role.
TAGS = (
    (IDLE, "kernel/idle", "idle", "context"),
    (INTERRUPTS, "kernel/irq", "interrupts", "context"),
    (SYSTEM_CALLS, "kernel/entry", "syscall_entry", "context"),
)
