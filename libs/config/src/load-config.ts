import { VARIABLES, type Config, type VariableName } from './variables.js';
import { rulesBrokenBy, type ConfigurationProblem } from './variable-rules.js';

/** Everything that is wrong with the environment, in one message. */
export class ConfigurationError extends Error {
  constructor(readonly problems: readonly ConfigurationProblem[]) {
    const lines = problems.map(
      ({ variable, problem }) =>
        `  ${variable} ${problem} (for example ${variable}=${VARIABLES[variable].example})`,
    );
    super(['The configuration cannot be used:', ...lines].join('\n'));
    this.name = 'ConfigurationError';
  }
}

/**
 * The configuration that the variables give. An empty variable counts as absent; unknown ones are ignored.
 * Throws a `ConfigurationError` with every problem at once.
 */
export function loadConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const problems: ConfigurationProblem[] = [];
  const values: Partial<Record<VariableName, unknown>> = {};
  for (const name of Object.keys(VARIABLES) as VariableName[]) {
    const { schema, fallback } = VARIABLES[name];
    const result = schema.safeParse(environment[name] || fallback);
    if (result.success) values[name] = result.data;
    else
      problems.push({
        variable: name,
        problem: result.error.issues.map(({ message }) => message).join('; '),
      });
  }
  problems.push(...rulesBrokenBy(values as Partial<Config>));
  if (problems.length > 0) throw new ConfigurationError(problems);
  return Object.freeze(values) as Config;
}

/** The configuration of this process: the one place that reads its environment. */
export function configFromEnvironment(): Config {
  return loadConfig(process.env);
}
