# One policy between AI coding agents and the workstation.
#
# @param policy_source  the team's policy, as file() finds it: 'profile/lilith/platform.yaml'; its `mode:` is replaced
# @param mode           audit, enforce, or auto: audit until enforce_from is there and gate_passed is true
# @param enforce_from   a day, YYYY-MM-DD, on the clock of the machine that compiles the catalogue (UTC)
# @param gate_passed    what `lilith replay gate` said of the baseline (exit code 0), from Hiera; without a word from
#                       either, auto is audit
# @param agents         agents whose managed settings get the hook
# @param packages       packages to have
# @param seal           a key to seal the log with (docs/seals.md) is made where there is none; one that is there is never
#                       touched. The policy names it: `audit: {seal: {key: ...}}`. `lilith seal export-verify-key --key KEY`
#                       prints what verifies it
# @param seal_key       that key
# @param seal_log       the log that it is for
# @param ship_source    configuration of the shipper, as file() finds it; undef: no shipper here
class lilith (
  String[1] $policy_source,
  Enum['auto', 'audit', 'enforce'] $mode = 'auto',
  Optional[Pattern[/\A\d{4}-\d{2}-\d{2}\z/]] $enforce_from = undef,
  Optional[Boolean] $gate_passed = undef,
  Array[String[1]] $agents = ['claude-code', 'copilot-cli'],
  Array[String[1]] $packages = ['lilith'],
  Boolean $seal = false,
  Pattern[/\A\/[\w.\/-]+\z/] $seal_key = '/var/lib/lilith/seal.key',
  Pattern[/\A\/[\w.\/-]+\z/] $seal_log = '/var/log/lilith/agent-audit.log',
  Optional[String[1]] $ship_source = undef,
) {
  $today = Timestamp.new().strftime('%Y-%m-%d')
  $asked = $enforce_from != undef or $gate_passed != undef
  $is_time = $enforce_from == undef or $today >= $enforce_from
  $effective_mode = $mode ? {
    'auto'  => ($asked and $is_time and $gate_passed != false) ? { true => 'enforce', default => 'audit' },
    default => $mode,
  }

  package { $packages: ensure => installed }

  # Before the policy that asks for it: where that enforces, no key is no call.
  if $seal {
    exec { 'lilith: key to seal the log with':
      command   => "/usr/bin/lilith seal init --key ${seal_key} --log ${seal_log}",
      creates   => $seal_key,
      logoutput => true,
      require   => Package[$packages],
      before    => File['/etc/lilith/lilith-policy.yaml'],
    }
  }

  file { '/etc/lilith/lilith-policy.yaml':
    owner        => 'root',
    group        => 'root',
    mode         => '0644',
    content      => "# Written by Puppet; edit ${policy_source} instead.\nmode: ${effective_mode}\n${regsubst(file($policy_source), '^mode:.*\n?', '', 'G')}",
    validate_cmd => '/usr/bin/lilith policy check %',
    require      => Package[$packages],
  }
  ~> exec { 'lilith: compile the policy':
    command     => '/usr/bin/lilith policy compile /etc/lilith/lilith-policy.yaml',
    refreshonly => true,
  }

  $agents.each |String $agent| {
    $install = "/usr/bin/lilith install ${agent} --scope managed"
    exec { "lilith: hook of ${agent}":
      command  => $install,
      unless   => "${install} --dry-run | grep -q 'nothing was changed'",
      provider => shell,
      require  => File['/etc/lilith/lilith-policy.yaml'],
    }
  }

  if $ship_source {
    file { '/etc/lilith/ship.yaml':
      owner        => 'root',
      group        => 'root',
      mode         => '0644',
      content      => file($ship_source),
      validate_cmd => '/usr/bin/lilith ship --config % --check',
      require      => Package[$packages],
    }
    ~> service { 'lilith-ship': ensure => running, enable => true }
  }
}
