import tseslint from 'typescript-eslint'

export default tseslint.config(
  { ignores: ['**/dist/**', '**/node_modules/**', 'bench/results/**', 'bench/rivals/**'] },
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.strictTypeChecked, ...tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: {
        project: [
          'packages/*/tsconfig.json',
          'adapters/*/tsconfig.json',
          'test/tsconfig.json',
          'bench/tsconfig.json',
          '.config/tsconfig.json',
        ],
        tsconfigRootDir: new URL('..', import.meta.url).pathname,
      },
    },
    rules: {
      // A template of numbers and codes is what messages are made of.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // isolatedDeclarations wants the type of every export written out.
      '@typescript-eslint/no-inferrable-types': 'off',
      // Ports are asynchronous; an implementation in memory has nothing to wait for.
      '@typescript-eslint/require-await': 'off',
      // An index signature says that the member may be absent; a dot would hide it.
      '@typescript-eslint/dot-notation': 'off',
      '@typescript-eslint/prefer-nullish-coalescing': 'off',
      // Ports are records of functions; nothing here reads `this` but an error or an identity.
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      // isolatedDeclarations wants every exported type spelled out, obvious or not.
      '@typescript-eslint/no-inferrable-types': 'off',
      'no-control-regex': 'off',
      eqeqeq: 'error',
    },
  },
)
